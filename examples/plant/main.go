// Command plant copies examples/shop to a new folder and puts credentials into
// the copy: well-formed ones, made at this moment, at the places where people do
// put them. None is real, and none is in the repository.
//
// usage: go run ./examples/plant DESTINATION
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	if len(os.Args) != 2 || strings.HasPrefix(os.Args[1], "-") {
		fmt.Fprintln(os.Stderr, "usage: go run ./examples/plant DESTINATION")
		os.Exit(64)
	}
	if err := plant(os.DirFS("examples/shop"), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "plant:", err)
		os.Exit(2)
	}
}

// leak is one credential in its place: old, which stands once in the committed
// file, becomes new. An empty old appends; a file that is not there is made.
type leak struct {
	path, old, new string
}

// plant copies shop to dest, which must not exist, with every leak put in.
func plant(shop fs.FS, dest string) error {
	if _, err := os.Lstat(dest); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists already", dest)
	}
	if err := os.CopyFS(dest, shop); err != nil {
		return err
	}
	// A fixed seed: the demo shows the same report each time.
	m := maker{rand.New(rand.NewChaCha8([32]byte{'s', 'h', 'o', 'p'}))}
	leaks, err := m.leaks()
	if err != nil {
		return err
	}
	for _, l := range leaks {
		if err := l.put(dest); err != nil {
			return err
		}
	}
	return nil
}

func (l leak) put(dest string) error {
	name := filepath.Join(dest, filepath.FromSlash(l.path))
	b, err := os.ReadFile(name)
	if err != nil && !(errors.Is(err, fs.ErrNotExist) && l.old == "") {
		return err
	}
	text := string(b) + l.new
	if l.old != "" {
		if n := strings.Count(string(b), l.old); n != 1 {
			return fmt.Errorf("%s: %q stands there %d times, want once", l.path, l.old, n)
		}
		text = strings.Replace(string(b), l.old, l.new, 1)
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(name); err == nil {
		mode = info.Mode().Perm()
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(text), mode)
}

// maker makes credentials in the formats that their issuers document.
type maker struct{ *rand.Rand }

const (
	digits   = "0123456789"
	lower    = "abcdefghijklmnopqrstuvwxyz"
	upper    = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	base32   = upper + "234567"
	alnum    = digits + upper + lower
	base64s  = upper + lower + digits + "+/"
	urlsafe  = upper + lower + digits + "-_"
	password = upper + lower + digits + "!*-_"
)

// text is n random characters of the alphabet.
func (m maker) text(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[m.IntN(len(alphabet))]
	}
	return string(b)
}

// github is a personal access token: prefix, 30 random characters, and their
// CRC-32 in base 62, six digits.
func (m maker) github() string {
	body := m.text(alnum, 30)
	sum := crc32.ChecksumIEEE([]byte(body))
	check := make([]byte, 6)
	for i := len(check) - 1; i >= 0; i-- {
		check[i] = alnum[sum%62]
		sum /= 62
	}
	return "ghp" + "_" + body + string(check)
}

// privateKey is an ed25519 key in PKCS #8.
func (m maker) privateKey() (string, error) {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(m.Uint32())
	}
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE " + "KEY", Bytes: der})), nil
}

// jwt is a signed token whose key nobody knows.
func (m maker) jwt() string {
	enc := base64.RawURLEncoding
	head := enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`))
	body := enc.EncodeToString([]byte(`{"iss":"auth.shop.example","sub":"orders-service","scope":"orders:write"}`))
	mac := hmac.New(sha256.New, []byte(m.text(alnum, 32)))
	mac.Write([]byte(head + "." + body))
	return head + "." + body + "." + enc.EncodeToString(mac.Sum(nil))
}

func (m maker) leaks() ([]leak, error) {
	var (
		awsID     = "AKIA" + m.text(base32, 16)
		awsSecret = m.text(base64s, 40)
		stripe    = "sk_" + "live_" + m.text(alnum, 24)
		maps      = "AIza" + m.text(urlsafe, 35)
		dbPass    = m.text(password, 20)
		dbURL     = "postgres" + "://shop:" + m.text(alnum, 18) + "@db.prod.shop.example:5432/shop"
		slack     = "https://hooks.slack" + ".com/services/T" + m.text(upper+digits, 8) + "/B" + m.text(upper+digits, 10) + "/" + m.text(alnum, 24)
		npm       = "npm" + "_" + m.text(alnum, 36)
		session   = m.text(alnum, 48)
		github    = m.github()
		jwt       = m.jwt()
		gitlab    = "glpat" + "-" + m.text(urlsafe, 20)
	)
	key, err := m.privateKey()
	if err != nil {
		return nil, err
	}
	backup, err := tarball("backup/prod.env", "STRIPE_SECRET_KEY="+stripe+"\nNPM_TOKEN="+npm+"\n")
	if err != nil {
		return nil, err
	}
	b64 := base64.StdEncoding.EncodeToString
	return []leak{
		{"app/config.py", `os.environ["STRIPE_SECRET_KEY"]`, `"` + stripe + `"`},
		{"app/config.py", `os.environ["MAPS_API_KEY"]`, `"` + maps + `"`},
		{"infra/prod.tfvars", "# aws_access_key and aws_secret_key come from the environment (TF_VAR_...)",
			"aws_access_key = \"" + awsID + "\"\naws_secret_key = \"" + awsSecret + "\""},
		{"infra/prod.tfvars", "# db_password comes from the environment", `db_password = "` + dbPass + `"`},
		// The same pair again: one finding, two places.
		{".github/workflows/release.yml", "${{ secrets.AWS_ACCESS_KEY_ID }}", awsID},
		{".github/workflows/release.yml", "${{ secrets.AWS_SECRET_ACCESS_KEY }}", awsSecret},
		{".github/workflows/release.yml", "GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}", "GITHUB_TOKEN: " + github},
		{".gitlab-ci.yml", "  REGISTRY: registry.shop.example", "  REGISTRY: registry.shop.example\n  RELEASE_TOKEN: " + gitlab},
		{"scripts/notify.sh", `"$TEAM_WEBHOOK"`, `"` + slack + `"`},
		{".npmrc", "${NPM_TOKEN}", npm},
		// Base64 hides nothing: a Kubernetes secret as kubectl writes it.
		{"deploy/k8s/secret.yaml", "stringData:\n  SESSION_KEY: ${SESSION_KEY}",
			"data:\n  SESSION_KEY: " + b64([]byte(session)) + "\n  DATABASE_URL: " + b64([]byte(dbURL))},
		{"deploy/deploy.pem", "", key},
		{"tests/test_orders.py", `os.environ.get("SERVICE_TOKEN", "")`, `"` + jwt + `"`},
		{"notebooks/revenue.ipynb", `os.environ[\"REPORT_TOKEN\"]`, `\"` + m.github() + `\"`},
		{"scripts/backup.tar.gz", "", backup},
		// One that its owner looked at and accepts, with a reason.
		{"scripts/backup.sh", "pg_dump \"$DATABASE_URL\"",
			"DATABASE_URL=postgres" + "://reader:" + m.text(alnum, 16) + "@localhost:5432/shop # pen" + "stock: ignore[secrets/*] local replica without customer data\npg_dump \"$DATABASE_URL\""},
		// A download that broke off: it cannot be read, so it is not called clean.
		{"scripts/backup-old.zip", "", "PK\x03\x04\x14\x00\x00\x00\x08\x00" + m.text(alnum, 200)},
	}, nil
}

// tarball is a .tar.gz with one file.
func tarball(name, content string) (string, error) {
	var buf bytes.Buffer
	gz := gzip.NewWriter(&buf)
	tw := tar.NewWriter(gz)
	head := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(content)), ModTime: time.Unix(0, 0)}
	if err := tw.WriteHeader(head); err != nil {
		return "", err
	}
	if _, err := tw.Write([]byte(content)); err != nil {
		return "", err
	}
	if err := tw.Close(); err != nil {
		return "", err
	}
	if err := gz.Close(); err != nil {
		return "", err
	}
	return buf.String(), nil
}
