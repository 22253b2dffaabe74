package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/spf13/cobra"

	"penstock/internal/report"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show, check or describe the configuration",
		Args:  knownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var origin, asJSON bool
	show := &cobra.Command{
		Use:   "show [PATH...]",
		Short: "Print the settings that a scan of PATH would have",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.load(cmd, orHere(args))
			if err != nil {
				return err
			}
			return a.showConfig(s, origin, asJSON)
		},
	}
	addFlags(show)
	show.Flags().BoolVar(&origin, "origin", false, "also say where each value comes from")
	show.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	check := &cobra.Command{
		Use:   "check [PATH...]",
		Short: "Check the configuration, and the files that it names",
		Args:  cobra.ArbitraryArgs,
		RunE:  func(cmd *cobra.Command, args []string) error { return a.checkConfig(cmd, orHere(args)) },
	}
	addConfigFlags(check)
	schema := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of penstock.yaml, for editors",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return writeJSON(a.out, configSchema()) },
	}
	cmd.AddCommand(show, check, schema)
	return cmd
}

func orHere(args []string) []string {
	if len(args) == 0 {
		return []string{"."}
	}
	return args
}

func (a *app) checkConfig(cmd *cobra.Command, targets []string) error {
	s, err := a.load(cmd, targets)
	if err != nil {
		return err
	}
	if s.path == "" {
		_, err := fmt.Fprintln(a.out, "no configuration found: the defaults hold (penstock init writes one)")
		return err
	}
	exceptions, err := s.exceptions()
	if err != nil {
		return err
	}
	files, err := s.ruleFiles()
	if err != nil {
		return err
	}
	for _, e := range a.engines {
		if e.Rules == nil {
			continue
		}
		if _, err := e.Rules(files); err != nil {
			return err
		}
	}
	if _, _, err := s.baseline(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s is good: %d keys, %d exceptions, %d rule files\n", plain(s.path), len(s.keys), len(exceptions), len(files))
	return err
}

func (a *app) showConfig(s *settings, origin, asJSON bool) error {
	type entry struct {
		Key    string `json:"key"`
		Value  any    `json:"value"`
		Origin string `json:"origin"`
	}
	var list []entry
	for _, o := range options() {
		list = append(list, entry{o.name(), o.show(&s.Config), s.origin[o.name()]})
	}
	if asJSON {
		return writeJSON(a.out, list)
	}
	if s.path != "" {
		fmt.Fprintf(a.out, "# %s\n", plain(s.path))
	}
	for _, e := range list {
		// JSON is YAML, and escapes what a terminal must not see.
		value, err := json.Marshal(e.Value)
		if err != nil {
			return err
		}
		text := fmt.Sprintf("%s: %s", e.Key, plain(string(value)))
		if origin {
			text = fmt.Sprintf("%-52s # %s", text, plain(e.Origin))
		}
		if _, err := fmt.Fprintln(a.out, text); err != nil {
			return err
		}
	}
	return nil
}

// configSchema is the JSON Schema (draft 2020-12) of the configuration, made from
// Config: it cannot lag behind.
func configSchema() map[string]any {
	schema := typeSchema(reflect.TypeFor[Config](), reflect.StructField{})
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "penstock.yaml"
	schema["required"] = []string{"version"}
	schema["properties"].(map[string]any)["version"] = map[string]any{"const": 1, "description": "version of this format"}
	return schema
}

func typeSchema(t reflect.Type, f reflect.StructField) map[string]any {
	schema := map[string]any{}
	if doc := f.Tag.Get("doc"); doc != "" {
		schema["description"] = doc
	}
	switch {
	case f.Tag.Get("choices") != "":
		schema["enum"] = strings.Split(f.Tag.Get("choices"), ",")
	case f.Tag.Get("flag") == "format":
		schema["enum"] = report.Formats()
	case t.Name() == "Threshold":
		schema["enum"] = []string{"critical", "high", "medium", "low", "info", "never"}
	case t.Name() == "OnUnread":
		schema["enum"] = []string{"block", "warn"}
	case t.Name() == "Size":
		schema["anyOf"] = []any{
			map[string]any{"type": "integer", "minimum": 0},
			map[string]any{"type": "string", "pattern": `^[0-9]+ *([KMG]i?B?|B)?$`},
		}
	case t.Kind() == reflect.Struct:
		properties := map[string]any{}
		for i := range t.NumField() {
			field := t.Field(i)
			if name := field.Tag.Get("yaml"); name != "" && name != "-" {
				properties[name] = typeSchema(field.Type, field)
			}
		}
		schema["type"], schema["properties"], schema["additionalProperties"] = "object", properties, false
	case t.Kind() == reflect.Map:
		schema["type"], schema["additionalProperties"] = "object", typeSchema(t.Elem(), reflect.StructField{})
	case t.Kind() == reflect.Slice:
		schema["type"], schema["items"] = "array", typeSchema(t.Elem(), reflect.StructField{})
	case t.Kind() == reflect.Bool:
		schema["type"] = "boolean"
	case t.Kind() == reflect.String:
		schema["type"] = "string"
	default:
		schema["type"], schema["minimum"] = "integer", 0
	}
	return schema
}
