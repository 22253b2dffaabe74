package main

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"penstock"
)

//go:embed templates
var templates embed.FS

// initFile is one file that init can write.
type initFile struct {
	template string
	path     string
	// sign is what shows that the project uses the system; "" for always.
	sign string
	flag string
	// merge is said where the file is there already.
	merge string
}

var initFiles = []initFile{
	{template: "penstock.yaml", path: "penstock.yaml"},
	{template: "github.yml", path: ".github/workflows/penstock.yml", sign: ".github", flag: "github"},
	{template: "gitlab.yml", path: ".gitlab/penstock.yml", sign: ".gitlab-ci.yml", flag: "gitlab"},
	{template: "gitlab-include.yml", path: ".gitlab-ci.yml", sign: ".gitlab-ci.yml", flag: "gitlab", merge: "add to it"},
	{template: "pre-commit.yaml", path: ".pre-commit-config.yaml", sign: ".pre-commit-config.yaml", flag: "pre-commit", merge: "add under its repos"},
}

type initOptions struct {
	dryRun bool
	url    string
	choose map[string]*bool
}

func (a *app) initCommand() *cobra.Command {
	o := initOptions{choose: map[string]*bool{}}
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a configuration, and the jobs and hooks that the project uses",
		Long: `Init writes penstock.yaml and, where the project has the like or a flag asks for
it, a GitHub workflow, a GitLab job and a pre-commit hook. It never changes a
file that is there: it prints what to add. The jobs fetch the program from
--url and run it only if it is the very program that wrote them.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.init(orHere(args)[0], &o) },
	}
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print what would be written")
	cmd.Flags().StringVar(&o.url, "url", "", "https address from which the jobs get the program")
	for flag, doc := range map[string]string{
		"github": "write a GitHub workflow", "gitlab": "write a GitLab job", "pre-commit": "write a pre-commit hook",
	} {
		o.choose[flag] = cmd.Flags().Bool(flag, false, doc)
	}
	return cmd
}

func (a *app) init(dir string, o *initOptions) error {
	if o.url != "" {
		if u, err := url.Parse(o.url); err != nil || u.Scheme != "https" || u.Host == "" || strings.ContainsAny(o.url, "\"'`$\\ \r\n\t{}") {
			return usage("give an https address without quotes and blanks", "--url %q cannot be used", o.url)
		}
	}
	root, err := projectRoot([]string{dir})
	if err != nil {
		return err
	}
	tree, err := os.OpenRoot(root)
	if err != nil {
		return &penstock.Error{Message: "open the project", Err: err}
	}
	defer tree.Close()
	sum, err := ownDigest()
	if err != nil {
		return err
	}
	chosen := false
	for _, on := range o.choose {
		chosen = chosen || *on
	}
	left := []string{}
	for _, f := range initFiles {
		if f.flag != "" && !a.wants(tree, f, o, chosen) {
			if len(left) == 0 || left[len(left)-1] != "--"+f.flag {
				left = append(left, "--"+f.flag)
			}
			continue
		}
		if err := a.initFile(tree, f, o, sum); err != nil {
			return err
		}
	}
	if len(left) > 0 && !chosen {
		fmt.Fprintf(a.out, "not found in the project, to have it anyway: %s\n", strings.Join(left, ", "))
	}
	_, err = fmt.Fprintln(a.out, "next: penstock scan")
	return err
}

func (a *app) wants(tree *os.Root, f initFile, o *initOptions, chosen bool) bool {
	if chosen {
		return *o.choose[f.flag]
	}
	_, err := tree.Lstat(f.sign)
	return err == nil
}

func (a *app) initFile(tree *os.Root, f initFile, o *initOptions, sum string) error {
	raw, err := templates.ReadFile("templates/" + f.template)
	if err != nil {
		return err
	}
	text := fill(string(raw), f, o, sum)
	_, err = tree.Lstat(f.path)
	exists := err == nil
	switch {
	case exists && strings.Contains(f.merge, "add"):
		fmt.Fprintf(a.out, "%s is there; %s:\n%s", f.path, f.merge, indent(text))
	case exists:
		fmt.Fprintf(a.out, "%s is there and stays as it is\n", f.path)
	case o.dryRun:
		fmt.Fprintf(a.out, "would write %s:\n%s", f.path, indent(text))
	default:
		if err := writeNew(tree, f.path, text); err != nil {
			return &penstock.Error{Message: "write " + f.path, Err: err}
		}
		fmt.Fprintf(a.out, "wrote %s\n", f.path)
	}
	return nil
}

// fill puts address and digest in. Without an address the jobs read a variable
// of the project.
func fill(text string, f initFile, o *initOptions, sum string) string {
	address := o.url
	switch {
	case f.template == "github.yml" && address == "":
		address = "${{ vars.PENSTOCK_URL }}"
	case f.template == "github.yml":
		address = strconv.Quote(address)
	case address == "":
		address = "${PENSTOCK_URL:?set the variable PENSTOCK_URL}"
	}
	return strings.NewReplacer("{{URL}}", address, "{{SHA256}}", strconv.Quote(sum)).Replace(text)
}

func indent(text string) string {
	var b strings.Builder
	for l := range strings.Lines(text) {
		b.WriteString("  " + l)
	}
	return b.String()
}

// writeNew makes a file that is not there yet, inside the tree only.
func writeNew(tree *os.Root, path, text string) error {
	if err := tree.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := tree.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fs.FileMode(0o644))
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// ownDigest is the SHA-256 of the program itself.
func ownDigest() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	f, err := os.Open(exe)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
