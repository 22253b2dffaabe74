package secrets

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
)

// The corpus: files as projects have them, with credentials planted among values
// that look like some. Formats of credentials are written here after the vendors'
// documentation, apart from the rules, and named as people name them.

// kind is one kind of credential.
type kind struct {
	name, class string
	value       string // template
	check       string
	// words name the variable that holds it.
	words []string
	// bare credentials are known by themselves and may stand without a name.
	bare bool
}

var kinds = []kind{
	// cloud
	{"aws access key id", "cloud", "AKIA{base32:16}", "", []string{"aws", "access", "key", "id"}, true},
	{"aws secret key", "cloud", "{base64:40}", "", []string{"aws", "secret", "access", "key"}, false},
	{"google api key", "cloud", "AIzaSy{base64url:33}", "", []string{"google", "maps", "api", "key"}, true},
	{"google oauth secret", "cloud", "GOCSPX-{base64url:28}", "", []string{"google", "client", "secret"}, true},
	{"azure client secret", "cloud", "{alnum:3}8Q~{base64url:34}", "", []string{"azure", "client", "secret"}, true},
	{"azure storage key", "cloud", "{b64key:64}", "", []string{"azure", "storage", "account", "key"}, false},
	{"digitalocean token", "cloud", "dop_v1_{hex:64}", "", []string{"digitalocean", "token"}, true},
	{"heroku key", "cloud", "{uuid}", "", []string{"heroku", "api", "key"}, false},
	{"cloudflare token", "cloud", "{base64url:40}", "", []string{"cloudflare", "api", "token"}, false},
	{"alibaba id", "cloud", "LTAI5t{alnum:18}", "", []string{"aliyun", "access", "key", "id"}, true},
	{"fly token", "cloud", "fm2_{base64:120}", "", []string{"fly", "api", "token"}, true},
	{"tailscale key", "cloud", "tskey-auth-{alnum:12}CNTRL-{alnum:32}", "", []string{"ts", "authkey"}, true},
	// forge
	{"github classic", "forge", "ghp_{alnum:30}{check}", "github-crc32", []string{"github", "token"}, true},
	{"github oauth", "forge", "gho_{alnum:30}{check}", "github-crc32", []string{"github", "oauth", "token"}, true},
	{"github app", "forge", "ghs_{alnum:30}{check}", "github-crc32", []string{"gh", "token"}, true},
	{"github fine-grained", "forge", "github_pat_11{uppernum:20}_{alnum:59}", "", []string{"gh", "pat"}, true},
	{"gitlab pat", "forge", "glpat-{base64url:20}", "", []string{"gitlab", "token"}, true},
	{"gitlab routable", "forge", "glpat-{base64url:36}.01.10{check}", "gitlab-crc32", []string{"gitlab", "token"}, true},
	{"gitlab runner", "forge", "glrt-{base64url:20}", "", []string{"runner", "token"}, true},
	{"gitlab deploy", "forge", "gldt-{base64url:20}", "", []string{"deploy", "token"}, true},
	// ci, stores
	{"circleci", "ci", "CCIPAT_{alnum:22}_{hex:40}", "", []string{"circle", "token"}, true},
	{"terraform cloud", "ci", "{alnum:14}.atlasv1.{base64url:67}", "", []string{"tfe", "token"}, true},
	{"vault", "ci", "hvs.CAESI{base64url:90}", "", []string{"vault", "token"}, true},
	{"pulumi", "ci", "pul-{hex:40}", "", []string{"pulumi", "access", "token"}, true},
	{"doppler", "ci", "dp.pt.{alnum:43}", "", []string{"doppler", "token"}, true},
	{"snyk", "ci", "{uuid}", "", []string{"snyk", "token"}, false},
	{"sonar", "ci", "sqp_{hex:40}", "", []string{"sonar", "token"}, true},
	// registry
	{"npm", "registry", "npm_{alnum:30}{check}", "npm-crc32", []string{"npm", "token"}, true},
	{"pypi", "registry", "pypi-AgEIcHlwaS5vcmcC{base64url:155}", "", []string{"twine", "password"}, true},
	{"docker hub", "registry", "dckr_pat_{base64url:27}", "", []string{"dockerhub", "token"}, true},
	{"rubygems", "registry", "rubygems_{hex:48}", "", []string{"gem", "host", "api", "key"}, true},
	{"nuget", "registry", "oy2{base32low:43}", "", []string{"nuget", "api", "key"}, true},
	{"crates.io", "registry", "cio{alnum:32}", "", []string{"cargo", "registry", "token"}, true},
	// chat
	{"slack bot", "chat", "xoxb-{digit1:12}-{digit1:13}-{alnum:24}", "", []string{"slack", "bot", "token"}, true},
	{"slack app", "chat", "xapp-1-A0{uppernum:9}-{digit1:13}-{hex:64}", "", []string{"slack", "app", "token"}, true},
	{"slack webhook", "chat", "https://hooks.slack.com/services/T0{uppernum:8}/B0{uppernum:9}/{alnum:24}", "", []string{"slack", "webhook", "url"}, true},
	{"discord bot", "chat", "{discord}", "", []string{"discord", "token"}, false},
	{"discord webhook", "chat", "https://discord.com/api/webhooks/{digit1:18}/{base64url:68}", "", []string{"discord", "webhook"}, true},
	{"telegram", "chat", "{digit1:10}:AAH{base64url:32}", "", []string{"telegram", "bot", "token"}, true},
	{"sendgrid", "chat", "SG.{base64url:22}.{base64url:43}", "", []string{"sendgrid", "api", "key"}, true},
	{"twilio", "chat", "{hex:32}", "", []string{"twilio", "auth", "token"}, false},
	{"mailchimp", "chat", "{hex:32}-us14", "", []string{"mailchimp", "api", "key"}, true},
	{"mailgun", "chat", "key-{hex:32}", "", []string{"mailgun", "api", "key"}, true},
	// payment
	{"stripe live", "payment", "sk_live_51{alnum:97}", "", []string{"stripe", "secret", "key"}, true},
	{"stripe restricted", "payment", "rk_live_{alnum:24}", "", []string{"stripe", "key"}, true},
	{"stripe webhook", "payment", "whsec_{alnum:32}", "", []string{"stripe", "webhook", "secret"}, true},
	{"square", "payment", "EAAAE{base64url:59}", "", []string{"square", "access", "token"}, true},
	{"shopify", "payment", "shpat_{hex:32}", "", []string{"shopify", "token"}, true},
	{"plaid", "payment", "{hex:30}", "", []string{"plaid", "secret"}, false},
	{"razorpay", "payment", "{alnum:24}", "", []string{"razorpay", "key", "secret"}, false},
	// ai
	{"openai project", "ai", "sk-proj-{base64url:74}T3BlbkFJ{base64url:74}", "", []string{"openai", "api", "key"}, true},
	{"openai classic", "ai", "sk-{alnum:20}T3BlbkFJ{alnum:20}", "", []string{"openai", "api", "key"}, true},
	{"anthropic", "ai", "sk-ant-api03-{base64url:93}AA", "", []string{"anthropic", "api", "key"}, true},
	{"hugging face", "ai", "hf_{alpha:34}", "", []string{"hf", "token"}, true},
	{"groq", "ai", "gsk_{alnum:52}", "", []string{"groq", "api", "key"}, true},
	{"replicate", "ai", "r8_{alnum:37}", "", []string{"replicate", "api", "token"}, true},
	{"perplexity", "ai", "pplx-{alnum:48}", "", []string{"pplx", "key"}, true},
	{"databricks", "ai", "dapi{hex:32}", "", []string{"databricks", "token"}, true},
	// database
	{"postgres url", "database", "postgres://app:{alnum:16}@db-{digit:2}.internal.corp:5432/app", "", []string{"database", "url"}, true},
	{"mysql url", "database", "mysql://root:{alnum:14}@10.0.{digit1:2}.7:3306/shop", "", []string{"db", "dsn"}, true},
	{"mongodb url", "database", "mongodb+srv://svc:{alnum:18}@cluster0.{lowernum:5}.mongodb.net/prod", "", []string{"mongo", "uri"}, true},
	{"redis url", "database", "redis://:{alnum:20}@cache.internal.corp:6379/0", "", []string{"redis", "url"}, true},
	{"amqp url", "database", "amqps://bus:{alnum:16}@mq.internal.corp:5671/prod", "", []string{"broker", "url"}, true},
	{"planetscale", "database", "pscale_tkn_{base64url:43}", "", []string{"planetscale", "token"}, true},
	{"supabase", "database", "sbp_{hex:40}", "", []string{"supabase", "access", "token"}, true},
	// observability
	{"datadog", "observability", "{hex:32}", "", []string{"dd", "api", "key"}, false},
	{"new relic", "observability", "NRAK-{uppernum:27}", "", []string{"new", "relic", "api", "key"}, true},
	{"grafana", "observability", "glsa_{alnum:32}_{check}", "grafana-crc32", []string{"grafana", "token"}, true},
	{"sentry user", "observability", "sntryu_{hex:64}", "", []string{"sentry", "auth", "token"}, true},
	{"pagerduty", "observability", "u+{alnum:18}", "", []string{"pagerduty", "token"}, false},
	{"dynatrace", "observability", "dt0c01.{uppernum:24}.{uppernum:64}", "", []string{"dt", "api", "token"}, true},
	// saas
	{"notion", "saas", "ntn_{digit1:11}{alnum:35}", "", []string{"notion", "token"}, true},
	{"linear", "saas", "lin_api_{alnum:40}", "", []string{"linear", "api", "key"}, true},
	{"postman", "saas", "PMAK-{hex:24}-{hex:34}", "", []string{"postman", "api", "key"}, true},
	{"airtable", "saas", "pat{alnum:14}.{hex:64}", "", []string{"airtable", "token"}, true},
	{"atlassian", "saas", "ATATT3xFfGF0{base64url:171}={HEX:8}", "", []string{"jira", "api", "token"}, true},
	{"hubspot", "saas", "pat-na1-{uuid}", "", []string{"hubspot", "token"}, true},
	{"okta", "saas", "00{base64url:40}", "", []string{"okta", "api", "token"}, false},
	{"figma", "saas", "figd_{base64url:40}", "", []string{"figma", "token"}, true},
	// jwt, generic
	{"jwt", "jwt", "{jwt}", "", []string{"session", "jwt"}, true},
	{"generic api key", "generic", "{alnum:32}", "", []string{"billing", "api", "key"}, false},
	{"generic hex token", "generic", "{hex:40}", "", []string{"internal", "access", "token"}, false},
	{"generic client secret", "generic", "{base64url:43}", "", []string{"oidc", "client", "secret"}, false},
	{"generic signing key", "generic", "{base64:44}", "", []string{"signing", "key"}, false},
	{"password alnum", "password", "{alnum:16}", "", []string{"db", "password"}, false},
	{"password short", "password", "{alnum:10}", "", []string{"smtp", "password"}, false},
	{"password signs", "password", "{alnum:7}!{alnum:3}_{digit:2}", "", []string{"admin", "password"}, false},
}

// planted is one credential in the corpus: where it stands, counted from 1.
type planted struct {
	kind, class string
	file        string
	from, to    int
	how         string // plain, or how it is hidden
}

// decoy is one value that is no credential.
type decoy struct {
	kind string
	file string
	line int
}

// corpusFile is one file; archives hold others.
type corpusFile struct {
	path    string
	data    []byte
	members []corpusFile // of an archive, path without the archive's
}

type corpus struct {
	rng     *rand.Rand
	files   []corpusFile
	planted []planted
	decoys  []decoy
	seed    uint64
}

// language is how one kind of file is written.
type language struct {
	name, file string // file is a pattern with a number
	style      string // of names
	head, tail []string
	// assign writes a name and a value, comment text that nobody runs.
	assign  []string // %n name, %v value
	comment string   // %t
	filler  []string
	// raw languages do not quote, so that only plain values fit.
	raw bool
}

var languages = []language{
	{"go", "internal/svc%d/client.go", "camel", []string{"package svc", "", "import \"net/http\"", ""}, []string{""},
		[]string{"const %n = \"%v\"", "var %n = \"%v\"", "\t%n := \"%v\"", "\tcfg.%N = \"%v\"", "\t\t%N: \"%v\","}, "// %t",
		[]string{"func (c *Client) Do(req *http.Request) (*http.Response, error) {", "\tif err != nil {", "\t\treturn nil, fmt.Errorf(\"call service: %%w\", err)", "\t}", "}", "type Option func(*Client)", "\tdefer resp.Body.Close()"}, false},
	{"python", "app/settings_%d.py", "snake", []string{"import os", "from dataclasses import dataclass", ""}, nil,
		[]string{"%n = \"%v\"", "%n = '%v'", "os.environ[\"%S\"] = \"%v\"", "    %n: str = \"%v\"", "client = Client(%n=\"%v\")"}, "# %t",
		[]string{"def load(path: str) -> dict:", "    with open(path) as f:", "        return json.load(f)", "class Meta:", "    ordering = [\"-created_at\"]", "logger = logging.getLogger(__name__)"}, false},
	{"javascript", "web/src/config%d.js", "camel", []string{"'use strict'", ""}, []string{"module.exports = config"},
		[]string{"const %n = '%v'", "  %n: '%v',", "process.env.%S = '%v'", "let %n = \"%v\";", "export const %S = '%v';"}, "// %t",
		[]string{"function render (el) {", "  return el.innerHTML", "}", "const express = require('express')", "app.use(cors())", "router.get('/', (req, res) => res.send('ok'))"}, false},
	{"typescript", "web/src/env%d.ts", "camel", []string{"import { Config } from './types'", ""}, nil,
		[]string{"const %n: string = '%v';", "export const %S = \"%v\";", "  %n: '%v',", "  private readonly %n = '%v';"}, "// %t",
		[]string{"export interface Options {", "  timeout?: number", "}", "export class Store<T> {", "  constructor(private http: HttpClient) {}"}, false},
	{"java", "src/main/java/com/acme/Config%d.java", "camel", []string{"package com.acme;", "", "public class Config {"}, []string{"}"},
		[]string{"    private static final String %S = \"%v\";", "    String %n = \"%v\";", "        builder.%n(\"%v\");", "        props.put(\"%n\", \"%v\");"}, "// %t",
		[]string{"    @Override", "    public String toString() {", "        return name;", "    }", "    private final Map<String, Object> values = new HashMap<>();"}, false},
	{"yaml", "deploy/values-%d.yaml", "snake", []string{"replicaCount: 2", "image:", "  repository: registry.example.org/app"}, nil,
		[]string{"%n: %v", "%n: \"%v\"", "  %n: '%v'", "  - name: %S\n    value: \"%v\""}, "# %t",
		[]string{"resources:", "  limits:", "    memory: 256Mi", "service:", "  type: ClusterIP", "  port: 8080"}, false},
	{"json", "config/app%d.json", "camel", []string{"{"}, []string{"  \"end\": true", "}"},
		[]string{"  \"%n\": \"%v\",", "  \"%s\": \"%v\",", "  \"%S\": \"%v\","}, "",
		[]string{"  \"debug\": false,", "  \"port\": 8080,", "  \"hosts\": [\"a.example.org\", \"b.example.org\"],"}, false},
	{"dotenv", "services/s%d/.env", "screaming", []string{"APP_ENV=production", "PORT=8080"}, nil,
		[]string{"%S=%v", "%S=\"%v\"", "export %S=%v"}, "# %t",
		[]string{"LOG_LEVEL=info", "APP_URL=https://app.example.org", "CACHE_TTL=3600"}, true},
	{"toml", "conf/app%d.toml", "snake", []string{"[server]", "port = 8080"}, nil,
		[]string{"%n = \"%v\"", "%n = '%v'"}, "# %t",
		[]string{"[logging]", "level = \"info\"", "timeout = 30"}, false},
	{"terraform", "infra/main%d.tf", "snake", []string{"terraform {", "  required_version = \">= 1.5\"", "}"}, nil,
		[]string{"  %n = \"%v\"", "variable \"%n\" {\n  default = \"%v\"\n}", "    %S = \"%v\""}, "# %t",
		[]string{"resource \"aws_s3_bucket\" \"logs\" {", "  bucket = \"acme-logs\"", "}", "  tags = local.tags"}, false},
	{"dockerfile", "images/i%d/Dockerfile", "screaming", []string{"FROM debian:12-slim", "WORKDIR /srv"}, []string{"CMD [\"/srv/app\"]"},
		[]string{"ENV %S=%v", "ENV %S=\"%v\"", "ARG %S=%v"}, "# %t",
		[]string{"RUN apt-get update && apt-get install -y ca-certificates", "COPY . /srv", "EXPOSE 8080"}, true},
	{"compose", "stacks/s%d/docker-compose.yml", "screaming", []string{"services:", "  app:", "    image: acme/app:1.4", "    environment:"}, nil,
		[]string{"      %S: %v", "      %S: \"%v\"", "      - %S=%v"}, "# %t",
		[]string{"      LOG_LEVEL: info", "    ports:", "      - \"8080:8080\""}, true},
	{"shell", "scripts/deploy%d.sh", "screaming", []string{"#!/bin/sh", "set -eu"}, nil,
		[]string{"export %S=\"%v\"", "%S='%v'", "%S=%v ./run.sh", "docker run -e %S=\"%v\" acme/app"}, "# %t",
		[]string{"cd \"$(dirname \"$0\")\"", "if [ -z \"${1:-}\" ]; then", "  echo usage >&2; exit 64", "fi"}, true},
	{"properties", "src/main/resources/app%d.properties", "dotted", []string{"server.port=8080"}, nil,
		[]string{"%n=%v", "%n = %v", "app.%n: %v"}, "# %t",
		[]string{"logging.level.root=INFO", "spring.jpa.show-sql=false"}, true},
	{"xml", "conf/settings%d.xml", "dotted", []string{"<?xml version=\"1.0\"?>", "<configuration>"}, []string{"</configuration>"},
		[]string{"  <%n>%v</%n>", "  <add key=\"%N\" value=\"%v\" />", "  <property name=\"%n\" value=\"%v\"/>"}, "<!-- %t -->",
		[]string{"  <logging level=\"info\"/>", "  <connections max=\"20\"/>"}, false},
	{"workflow", ".github/workflows/ci%d.yml", "screaming", []string{"name: ci", "on: [push]", "jobs:", "  build:", "    runs-on: ubuntu-latest", "    env:"}, nil,
		[]string{"      %S: %v", "      %S: \"%v\"", "        %S: '%v'"}, "# %t",
		[]string{"    steps:", "      - uses: actions/checkout@v4", "      - run: make test"}, true},
	{"notebook", "notebooks/n%d.ipynb", "snake", []string{"{", " \"cells\": [{\"cell_type\": \"code\", \"source\": ["}, []string{"  \"\\n\"", " ]}]", "}"},
		[]string{"  \"%n = \\\"%v\\\"\\n\",", "  \"os.environ['%S'] = '%v'\\n\","}, "",
		[]string{"  \"import pandas as pd\\n\",", "  \"df = pd.read_csv('data.csv')\\n\","}, false},
	{"markdown", "docs/runbook%d.md", "screaming", []string{"# Runbook", ""}, nil,
		[]string{"    export %S=%v", "Use `%S=%v` to sign in."}, "%t",
		[]string{"Then restart the service.", "## Steps", "- look at the dashboard", "See the wiki for the rest."}, true},
	{"ruby", "config/initializers/s%d.rb", "snake", []string{"# frozen_string_literal: true", ""}, nil,
		[]string{"%n = '%v'", "  config.%n = \"%v\"", "ENV['%S'] = '%v'", "  %n: \"%v\","}, "# %t",
		[]string{"Rails.application.configure do", "end", "  belongs_to :account"}, false},
	{"php", "config/app%d.php", "snake", []string{"<?php", "", "return ["}, []string{"];"},
		[]string{"    '%n' => '%v',", "$%n = \"%v\";", "define('%S', '%v');"}, "// %t",
		[]string{"    'debug' => false,", "    'timezone' => 'UTC',"}, false},
	{"csharp", "src/Acme/Settings%d.cs", "camel", []string{"namespace Acme", "{", "    public class Settings", "    {"}, []string{"    }", "}"},
		[]string{"        private const string %N = \"%v\";", "        public string %N { get; set; } = \"%v\";", "            options.%N = \"%v\";"}, "// %t",
		[]string{"        public int Port { get; set; }", "        using var scope = provider.CreateScope();"}, false},
	{"kotlin", "app/src/main/kotlin/Keys%d.kt", "camel", []string{"package acme", ""}, nil,
		[]string{"val %n = \"%v\"", "const val %S = \"%v\"", "    val %n: String = \"%v\""}, "// %t",
		[]string{"fun main() {", "}", "data class User(val id: Long)"}, false},
	{"rust", "crates/c%d/src/config.rs", "snake", []string{"use std::env;", ""}, nil,
		[]string{"const %S: &str = \"%v\";", "    let %n = \"%v\";", "    %n: \"%v\".to_string(),"}, "// %t",
		[]string{"fn main() {", "}", "#[derive(Debug, Clone)]"}, false},
	{"ini", "etc/app%d.ini", "snake", []string{"[main]"}, nil, []string{"%n = %v", "%n=%v"}, "; %t", []string{"[http]", "port = 80", "workers = 4"}, true},
}

func styled(words []string, style string) string {
	switch style {
	case "camel":
		out := words[0]
		for _, w := range words[1:] {
			out += strings.ToUpper(w[:1]) + w[1:]
		}
		return out
	case "pascal":
		n := styled(words, "camel")
		return strings.ToUpper(n[:1]) + n[1:]
	case "screaming":
		return strings.ToUpper(strings.Join(words, "_"))
	case "dotted":
		return strings.Join(words, ".")
	}
	return strings.Join(words, "_")
}

func fill(format string, words []string, style, value string) string {
	return strings.NewReplacer("%n", styled(words, style), "%N", styled(words, "pascal"), "%S", styled(words, "screaming"), "%s", styled(words, "snake"), "%v", value, "%%", "%").Replace(format)
}

// page is a file being written.
type page struct {
	c     *corpus
	path  string
	lines []string
}

func (p *page) add(line string) (from, to int) {
	from = len(p.lines) + 1
	p.lines = append(p.lines, strings.Split(line, "\n")...)
	return from, len(p.lines)
}

func (p *page) data() []byte { return []byte(strings.Join(p.lines, "\n") + "\n") }

func (c *corpus) next() uint64 { c.seed++; return c.seed }

func (c *corpus) pick(list []string) string { return list[c.rng.IntN(len(list))] }

func (c *corpus) expand(t testing.TB, template, check string) string {
	return expanded(t, template, c.next(), check)
}

// plant writes one credential into the page.
func (p *page) plant(t testing.TB, k *kind, l *language) {
	c := p.c
	value := c.expand(t, k.value, k.check)
	line, how := "", "plain"
	switch roll := c.rng.IntN(20); {
	case k.bare && l.comment != "" && roll == 0:
		line = strings.ReplaceAll(l.comment, "%t", c.pick([]string{"old token: ", "curl with ", "was "})+value)
	case k.bare && roll == 1:
		line, how = fill(c.pick(l.assign), []string{"payload"}, l.style, base64.StdEncoding.EncodeToString([]byte("token="+value+"\n"))), "base64"
	case k.bare && roll == 2:
		line, how = fill(c.pick(l.assign), []string{"blob"}, l.style, hex.EncodeToString([]byte("key: "+value+" "))), "hex"
	case k.bare && roll == 3 && !strings.Contains(value, "://"):
		line, how = fill(c.pick(l.assign), []string{"next", "page"}, l.style, "https://login.example.org/?state=%22"+strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D", "-", "%2D", "_", "%5F").Replace(value)+"%22"), "url"
	case k.bare && roll == 4:
		inner := base64.StdEncoding.EncodeToString([]byte("{\"auth\":\"" + value + "\"}"))
		line, how = fill(c.pick(l.assign), []string{"envelope"}, l.style, base64.StdEncoding.EncodeToString([]byte("data="+inner+";"))), "base64 twice"
	default:
		line = fill(c.pick(l.assign), k.words, l.style, value)
	}
	from, to := p.add(line)
	// Only the line with the value counts, but a finding may start at the name.
	c.planted = append(c.planted, planted{k.name, k.class, p.path, from, to, how})
}

// plantBlock writes credentials that fill several lines or a whole file.
func (c *corpus) plantBlock(t testing.TB, path, kind, class, template, check string) {
	p := &page{c: c, path: path}
	text := c.expand(t, template, check)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	from := 1
	to := len(lines)
	for i, l := range lines {
		if l, ok := strings.CutPrefix(l, "→"); ok { // marks the lines that hold it
			if from == 1 {
				from = i + 1
			}
			to = i + 1
			lines[i] = l
		}
	}
	p.lines = lines
	c.planted = append(c.planted, planted{kind, class, path, from, to, "plain"})
	c.files = append(c.files, corpusFile{path: path, data: p.data()})
}

var blocks = []struct{ file, kind, class, template, check string }{
	{"keys/k%d.pem", "rsa key", "key", "{pem:rsa}\n", ""},
	{"keys/e%d.pem", "ec key", "key", "{pem:ec}\n", ""},
	{"keys/p%d.key", "pkcs8 key", "key", "{pem:pkcs8}\n", ""},
	{"ssh/deploy%d", "openssh key", "key", "{pem:openssh}\n", ""},
	{"gpg/signing%d.asc", "pgp key", "key", "{pem:pgp}\n", ""},
	{"age/keys%d.txt", "age key", "key", "# created: 2025-03-01T10:00:00Z\n# public key: age1{bech32:58}\n→AGE-SECRET-KEY-1{BECH32:52}{check}\n", "bech32"},
	{"src/keys%d.go", "rsa key in source", "key", "package keys\n\n→const signing = `{pem:rsa}`\n", ""},
	{"gcp/sa%d.json", "service account", "key", "{{\n  \"type\": \"service_account\",\n  \"project_id\": \"acme\",\n  \"private_key_id\": \"{hex:40}\",\n→  \"private_key\": \"{pem-json:pkcs8}\\n\",\n  \"client_email\": \"ci@acme.iam.gserviceaccount.com\"\n}}\n", ""},
	{"home/u%d/.netrc", "netrc", "config", "→machine api.internal.corp login ci password {alnum:20}\n", ""},
	{"pkg/p%d/.npmrc", "npmrc", "config", "registry=https://npm.internal.corp/\n→//npm.internal.corp/:_authToken={uuid}\n", ""},
	{"home/u%d/.pypirc", "pypirc", "config", "[distutils]\nindex-servers = corp\n\n[corp]\nrepository: https://pypi.internal.corp\nusername: ci\n→password: {alnum:18}\n", ""},
	{"home/u%d/.docker/config.json", "docker config", "config", "{{\n  \"auths\": {{\n    \"registry.internal.corp\": {{\n→      \"auth\": \"{b64:ci-bot:{alnum:24}}\"\n    }}\n  }}\n}}\n", ""},
	{"repo%d/.git/config", "git url", "config", "[core]\n\tbare = false\n[remote \"origin\"]\n→\turl = https://deploy:{alnum:20}@gitlab.internal.corp/acme/app.git\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n", ""},
	{"k8s/secret%d.yaml", "kubernetes secret", "config", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\n  namespace: prod\ntype: Opaque\ndata:\n→  password: {b64:{alnum:20}}\n", ""},
	{"k8s/kubeconfig%d", "kubeconfig", "config", "apiVersion: v1\nkind: Config\nusers:\n- name: admin\n  user:\n→    client-key-data: {b64:{pem:rsa}}\n", ""},
	{"m2/settings%d.xml", "maven settings", "config", "<settings>\n  <servers>\n→    <server>\n→      <id>nexus</id>\n→      <username>ci</username>\n→      <password>{alnum:18}</password>\n→    </server>\n  </servers>\n</settings>\n", ""},
	{"sql/dump%d.sh", "pgpassword", "config", "#!/bin/sh\n→PGPASSWORD={alnum:16} pg_dump -h db.internal.corp -U app app > app.sql\n", ""},
	{"ci/smoke%d.sh", "curl user", "config", "#!/bin/sh\nset -e\n→curl -sf -u ci:{alnum:18} https://nexus.internal.corp/service/rest/v1/status\n", ""},
	{"ci/auth%d.http", "basic header", "config", "GET /api HTTP/1.1\nHost: api.internal.corp\n→Authorization: Basic {b64:svc:{alnum:20}}\n", ""},
	{"ci/bearer%d.http", "bearer header", "config", "GET /api HTTP/1.1\nHost: api.internal.corp\n→Authorization: Bearer {alnum:48}\n", ""},
	{"dotnet/appsettings%d.json", "ado.net", "database", "{{\n  \"ConnectionStrings\": {{\n→    \"Default\": \"Server=sql.internal.corp;Database=app;User Id=app;Password={alnum:16};Encrypt=true\"\n  }}\n}}\n", ""},
	{"spring/application%d.yml", "spring yaml", "password", "spring:\n  datasource:\n    url: jdbc:postgresql://db/app\n    username: app\n→    password: {alnum:16}\n", ""},
	{"ansible/hosts%d.ini", "ansible", "password", "[web]\n→web1 ansible_host=10.0.0.4 ansible_user=root ansible_password={alnum:14}\n", ""},
	{"django/settings%d.py", "django key", "generic", "DEBUG = False\n→SECRET_KEY = \"{django:50}\"\nALLOWED_HOSTS = [\"app.example.org\"]\n", ""},
	{"laravel/l%d/.env", "laravel key", "generic", "APP_NAME=Acme\n→APP_KEY=base64:{b64key:32}\nAPP_DEBUG=false\n", ""},
	{"wg/wg%d.conf", "wireguard", "key", "[Interface]\n→PrivateKey = {b64key:32}\nAddress = 10.8.0.2/24\n\n[Peer]\nPublicKey = {b64key:32}\nEndpoint = vpn.example.org:51820\n", ""},
}

// decoyKinds write lines that hold no credential but look as if. Each gives text
// for a language, or "" if it does not fit there.
var decoyKinds = []struct {
	name string
	make func(t testing.TB, c *corpus, l *language) string
}{
	{"uuid", func(t testing.TB, c *corpus, l *language) string {
		return c.set(l, c.pickWords("request id", "tenant id", "correlation id", "object uid", "device id", "session uuid"), c.expand(t, "{uuid}", ""))
	}},
	{"git hash", func(t testing.TB, c *corpus, l *language) string {
		return c.set(l, c.pickWords("commit", "revision", "git sha", "base ref", "vendored at", "last good commit"), c.expand(t, "{hex:40}", ""))
	}},
	{"sha256", func(t testing.TB, c *corpus, l *language) string {
		return c.set(l, c.pickWords("sha256", "checksum", "content hash", "artifact digest", "expected sum"), c.expand(t, "{hex:64}", ""))
	}},
	{"md5", func(t testing.TB, c *corpus, l *language) string {
		return c.set(l, c.pickWords("etag", "md5", "cache buster", "asset version", "fingerprint"), c.expand(t, "{hex:32}", ""))
	}},
	{"image digest", func(t testing.TB, c *corpus, l *language) string {
		return c.set(l, c.pickWords("image", "base image", "sidecar image"), "registry.example.org/acme/app@sha256:"+c.expand(t, "{hex:64}", ""))
	}},
	{"integrity", func(t testing.TB, c *corpus, l *language) string {
		return c.set(l, c.pickWords("integrity", "sri"), "sha512-"+c.expand(t, "{b64key:64}", ""))
	}},
	{"env reference", func(t testing.TB, c *corpus, l *language) string {
		v := c.pick([]string{"${API_KEY}", "$DB_PASSWORD", "${{ secrets.DEPLOY_TOKEN }}", "{{ .Values.secret }}", "%(password)s", "<%= ENV['SECRET'] %>", "vault:secret/data/app#token", "op://prod/db/password", "ssm:/app/prod/api_key", "!vault |", "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:app"})
		return c.set(l, c.pickWords("api key", "db password", "auth token", "client secret"), v)
	}},
	{"placeholder", func(t testing.TB, c *corpus, l *language) string {
		v := c.pick([]string{"your-api-key-here", "YOUR_API_KEY", "<your token>", "changeme", "CHANGE_ME", "xxxxxxxxxxxxxxxxxxxxxxxx", "REPLACE_ME_WITH_TOKEN", "insert-token-here", "TODO", "********", "................", "example-secret-value", "my-secret-token", "dummy-key-for-tests", "fake_token_12345", "test-api-key", "sk_test_xxxxxxxxxxxxxxxxxxxxxxxx", "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "AKIAXXXXXXXXXXXXXXXX", "00000000-0000-0000-0000-000000000000", "0123456789abcdef0123456789abcdef", "none", "null", "undefined", "[REDACTED]", "put-your-key-in-here"})
		return c.set(l, c.pickWords("api key", "secret key", "access token", "auth token", "client secret", "github token", "password"), v)
	}},
	{"weak password", func(t testing.TB, c *corpus, l *language) string {
		v := c.pick([]string{"password", "Password1", "passw0rd", "secret", "admin", "admin123", "root", "toor", "postgres", "mysql", "guest", "test", "test1234", "changeit", "letmein", "example", "hunter2", "12345678", "qwerty", "minioadmin", "s3cr3t", "my_password", "P@ssw0rd", "foobar", "correct horse battery staple", "rabbitmq", "dev", "docker", "vagrant"})
		return c.set(l, c.pickWords("password", "db password", "user password", "pwd", "test password", "admin password"), v)
	}},
	{"name of a secret", func(t testing.TB, c *corpus, l *language) string {
		v := c.pick([]string{"prod/db/credentials", "app-database-secret", "X-Api-Key", "Authorization", "access_token", "current-password", "new-password", "tls-certificate-secret", "oauth2_client_secret_name", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "/run/secrets/db_password", "token-exchange-service", "com.acme.security.TokenProvider", "urn:ietf:params:oauth:token-type:access_token", "https://auth.example.org/oauth/token", "bearer", "csrf-token", "password_reset_token_expired", "refreshTokenRotationEnabled", "secretsmanager.amazonaws.com", "keyvault-prod-weu", "id_token token", "passwordResetTokenValidityHours"})
		return c.set(l, c.pickWords("secret name", "api key header", "token type", "password field", "token url", "auth key", "secret ref", "key name", "grant type", "token endpoint"), v)
	}},
	{"label", func(t testing.TB, c *corpus, l *language) string {
		if l.raw {
			return ""
		}
		v := c.pick([]string{"Enter your password", "Passwort vergessen?", "Mot de passe oublié", "Contraseña incorrecta", "Your API key has been revoked", "Password must be at least 12 characters", "Reset token expired", "Invalid secret", "Show password", "Wachtwoord wijzigen", "Copy the access token now", "パスワード", "Пароль"})
		return c.set(l, c.pickWords("password", "password label", "password hint", "token message", "secret title", "login password"), v)
	}},
	{"feature flag", func(t testing.TB, c *corpus, l *language) string {
		v := c.pick([]string{"enable-new-token-refresh", "auth_v2_password_less_login", "use_secret_manager_backend", "rotate-api-keys-2025-q3", "experiment.checkout.2024-11-07.variant-b"})
		return c.set(l, c.pickWords("feature flag", "flag key", "toggle", "experiment key"), v)
	}},
	{"cache key", func(t testing.TB, c *corpus, l *language) string {
		v := c.pick([]string{"user:" + c.expand(t, "{digit1:6}", "") + ":profile:v2", "session:list:page:4", "npm-" + c.expand(t, "{hex:32}", ""), "go-mod-linux-amd64-1.26", "rate:ip:10.0.0.4"})
		return c.set(l, c.pickWords("cache key", "redis key", "lock key", "partition key", "sort key", "primary key", "routing key"), v)
	}},
	{"public key", func(t testing.TB, c *corpus, l *language) string {
		v := c.pick([]string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + c.expand(t, "{base64:43}", "") + " ci@example.org", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ" + c.expand(t, "{base64:340}", ""), "age1" + c.expand(t, "{bech32:58}", ""), "RW" + c.expand(t, "{base64:54}", ""), c.expand(t, "{b64key:32}", "")})
		if l.raw && strings.Contains(v, " ") {
			return ""
		}
		return c.set(l, c.pickWords("public key", "ssh public key", "authorized key", "verify key", "recipient", "host key"), v)
	}},
	{"publishable key", func(t testing.TB, c *corpus, l *language) string {
		v := c.pick([]string{"pk_live_" + c.expand(t, "{alnum:24}", ""), "pk_test_51" + c.expand(t, "{alnum:97}", ""), "6L" + c.expand(t, "{base64url:38}", ""), "UA-" + c.expand(t, "{digit1:8}", "") + "-1", "G-" + c.expand(t, "{uppernum:10}", ""), "GTM-" + c.expand(t, "{uppernum:7}", ""), "ca-pub-" + c.expand(t, "{digit:16}", ""), "pk." + c.expand(t, "{b64url:{{\"u\":\"acme\",\"a\":\"{lowernum:25}\"}}}.{base64url:22}", ""), "phc_" + c.expand(t, "{alnum:43}", ""), "https://" + c.expand(t, "{hex:32}", "") + "@o4.ingest.sentry.io/45"})
		return c.set(l, c.pickWords("stripe publishable", "site id", "analytics id", "tracking id", "sentry dsn", "mapbox public"), v)
	}},
	{"wrong checksum", func(t testing.TB, c *corpus, l *language) string {
		// Six characters that are the checksum of something else.
		v := c.pick([]string{"ghp_", "gho_", "ghs_", "npm_"}) + c.expand(t, "{alnum:36}", "")
		return c.set(l, c.pickWords("fixture", "sample value", "masked"), v)
	}},
	{"documentation key", func(t testing.TB, c *corpus, l *language) string {
		v := c.pick([]string{"AKIA" + "IOSFODNN7EXAMPLE", "AKIA" + "I44QH8DHBEXAMPLE", "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY", "je7MtGbClwBF/2Zp9Utk/" + "h3yCo8nvbEXAMPLEKEY", "gh" + "o_16C7e42F292c6912E7710c838347Ae178B4a"})
		return c.set(l, c.pickWords("aws access key id", "aws secret access key", "documentation sample"), v)
	}},
	{"truncated", func(t testing.TB, c *corpus, l *language) string {
		v := c.pick([]string{"ghp_" + c.expand(t, "{alnum:6}", "") + "...", "sk_live_..." + c.expand(t, "{alnum:4}", ""), "AKIA****************", "xoxb-1234...", "eyJhbGciOi...", "glpat-" + c.expand(t, "{alnum:4}", "") + "***", "SG.abc...xyz"})
		return c.set(l, c.pickWords("token preview", "masked key", "shown as"), v)
	}},
	{"resource name", func(t testing.TB, c *corpus, l *language) string {
		v := c.pick([]string{"arn:aws:iam::" + c.expand(t, "{digit1:12}", "") + ":role/deploy", "projects/acme/locations/eu/keyRings/app/cryptoKeys/" + c.expand(t, "{lower:8}", ""), "subnet-0" + c.expand(t, "{hex:16}", ""), "i-0" + c.expand(t, "{hex:16}", ""), "vpc-" + c.expand(t, "{hex:17}", ""), "/subscriptions/" + c.expand(t, "{uuid}", "") + "/resourceGroups/app", "0x" + c.expand(t, "{hex:40}", "")})
		return c.set(l, c.pickWords("role arn", "kms key id", "subnet", "instance", "contract address", "resource"), v)
	}},
	{"base64 data", func(t testing.TB, c *corpus, l *language) string {
		return c.set(l, c.pickWords("icon", "logo data", "favicon", "thumbnail"), "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA"+c.expand(t, "{base64:80-400}", ""))
	}},
	{"opaque id", func(t testing.TB, c *corpus, l *language) string {
		return c.set(l, c.pickWords("build id", "snapshot", "trace id", "span", "nonce seed id", "upload name", "video id", "document"), c.expand(t, c.pick([]string{"{alnum:22}", "{lowernum:26}", "{hex:24}", "{base64url:11}", "{uppernum:26}", "{digit:19}"}), ""))
	}},
	{"identifier", func(t testing.TB, c *corpus, l *language) string {
		v := c.pick([]string{"AuthenticationTokenProviderFactory", "getSecretKeyFromKeychain", "passwordEncoderBcryptStrength12", "com.example.auth.AccessTokenStore", "secret_rotation_lambda_function", "TokenBucketRateLimiterV2", "api_key_validation_middleware", "OAuth2ClientCredentialsTokenSource", "privateKeyPkcs8PemReader", "no-password-authentication-required"})
		return c.set(l, c.pickWords("token provider", "secret handler", "auth class", "api key validator", "password encoder"), v)
	}},
	{"version", func(t testing.TB, c *corpus, l *language) string {
		v := c.pick([]string{"1.14.2-rc.1+build.20251107.sha." + c.expand(t, "{hex:7}", ""), "v0.0.0-20240719175910-" + c.expand(t, "{hex:12}", ""), "2025-11-07T10:14:22.123456Z", "20251107101422", "8.0.36-0ubuntu0.22.04.1"})
		return c.set(l, c.pickWords("version", "token version", "key created", "build"), v)
	}},
	{"address without password", func(t testing.TB, c *corpus, l *language) string {
		v := c.pick([]string{"postgres://localhost:5432/app", "postgres://app@db:5432/app", "postgres://user:password@localhost:5432/app", "mysql://root:root@127.0.0.1/app", "redis://redis:6379/0", "mongodb://localhost:27017", "amqp://guest:guest@localhost:5672/", "postgresql://${DB_USER}:${DB_PASS}@${DB_HOST}/app", "https://user@git.example.org/r.git", "jdbc:h2:mem:test", "ssh://git@git.example.org:22/r.git", "https://example.org:8443/a?b=c@d", "postgres://postgres:postgres@db/test"})
		return c.set(l, c.pickWords("database url", "broker url", "repository", "jdbc url", "dsn"), v)
	}},
	{"broken jwt", func(t testing.TB, c *corpus, l *language) string {
		v := c.pick([]string{
			base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"1234567890","name":"John Doe","iat":1516239022}`)) + "." + c.expand(t, "{base64url:43}", ""),
			"eyJhbGciOiJ" + c.expand(t, "{alnum:24}.eyJ{alnum:40}.{alnum:43}", ""), "header.payload.signature"})
		return c.set(l, c.pickWords("sample jwt", "expired", "unsigned"), v)
	}},
}

// pickWords picks a name, as words.
func (c *corpus) pickWords(names ...string) []string { return strings.Fields(c.pick(names)) }

// set writes name and value in the language.
func (c *corpus) set(l *language, words []string, value string) string {
	if l.name == "json" || l.name == "notebook" {
		value = strings.ReplaceAll(value, `"`, `\"`)
	}
	return fill(c.pick(l.assign), words, l.style, value)
}

// codeDecoys are lines of code around secrets that hold none.
var codeDecoys = []string{
	`password = os.environ["DB_PASSWORD"]`, `token := os.Getenv("GITHUB_TOKEN")`, `const apiKey = process.env.STRIPE_SECRET_KEY`, `if password == "" {`, `return errors.New("secret must not be empty")`,
	`api_key = get_secret("prod/billing/api-key")`, `this.password = password;`, `<input type="password" name="password" autocomplete="current-password">`, `req.Header.Set("Authorization", "Bearer "+token)`,
	`curl -H "Authorization: Bearer $TOKEN" https://api.example.org/v1/me`, `curl -u "$USER:$PASSWORD" https://h.example.org/`, `docker login -u "$REGISTRY_USER" --password-stdin registry.example.org`, `assert_equal "Invalid password", flash[:alert]`,
	`regexp.MustCompile("ghp_[A-Za-z0-9]{36}")`, `pattern: "AKIA[0-9A-Z]{16}"`, `client_secret: ${{ secrets.OIDC_CLIENT_SECRET }}`, `data "aws_secretsmanager_secret_version" "db" {}`, `password = var.db_password`, `password = random_password.db.result`,
	`export NPM_TOKEN=$(vault read -field=token secret/npm)`, `$password = Read-Host -AsSecureString "Password"`, `user.setPassword(passwordEncoder.encode(form.getPassword()));`, `"passwordHash": { "type": "string", "minLength": 60 },`,
	`@Value("${app.jwt.secret}") private String jwtSecret;`, `SECRET_KEY = config("SECRET_KEY")`, `token: "${{ github.token }}"`, `validate_presence_of :api_key, message: "can't be blank"`, `expect(decodeToken(token).sub).toBe(user.id)`, `type Credentials struct { Username, Password string }`,
	`private_key_path = "~/.ssh/id_ed25519"`, `ssh_private_key_file: /etc/ssh/ssh_host_rsa_key`, `-----BEGIN PRIVATE KEY-----`, `if !strings.HasPrefix(key, "sk_live_") {`, `secretKeyRef: { name: app, key: db-password }`, `valueFrom: { secretKeyRef: { name: db, key: password } }`,
}

// makeCorpus writes n pages, blocks, lock files and archives.
func makeCorpus(t testing.TB, seed uint64, pages int) *corpus {
	c := &corpus{rng: rand.New(rand.NewPCG(seed, 7)), seed: seed << 32}
	order := 0 // goes round the kinds, so that each has its share
	for n := range pages {
		l := &languages[n%len(languages)]
		p := c.newPage(l, n)
		plants := 2 + c.rng.IntN(5)
		decoys := 28 + c.rng.IntN(20)
		todo := make([]bool, plants+decoys)
		for i := range plants {
			todo[i] = true
		}
		c.rng.Shuffle(len(todo), func(i, j int) { todo[i], todo[j] = todo[j], todo[i] })
		for _, plant := range todo {
			switch {
			case plant:
				k := &kinds[order%len(kinds)]
				order++
				if !fits(k, l) {
					order--
					k = &kinds[c.rng.IntN(len(kinds))]
					for !fits(k, l) {
						k = &kinds[c.rng.IntN(len(kinds))]
					}
				}
				p.plant(t, k, l)
			default:
				p.decoy(t, l)
			}
			if c.rng.IntN(3) == 0 {
				p.add(c.pick(l.filler))
			}
		}
		for _, line := range l.tail {
			p.add(line)
		}
		c.files = append(c.files, corpusFile{path: p.path, data: p.data()})
	}
	for n := range pages / 16 {
		for _, b := range blocks {
			c.plantBlock(t, fmt.Sprintf(b.file, n), b.kind, b.class, b.template, b.check)
		}
	}
	c.lockFiles(t, pages/16)
	c.minified(t, pages/24)
	c.certificates(t, pages/16)
	c.archives(t, pages/20)
	return c
}

// fits says whether a kind is ever written in such a file: raw ones do not quote
// spaces, and nobody keeps a password of the database in package code of a notebook.
func fits(k *kind, l *language) bool {
	if l.raw && strings.ContainsAny(k.value, "&;") {
		return false
	}
	return true
}

func (c *corpus) newPage(l *language, n int) *page {
	p := &page{c: c, path: fmt.Sprintf(l.file, n)}
	for _, line := range l.head {
		p.add(line)
	}
	return p
}

func (p *page) decoy(t testing.TB, l *language) {
	c := p.c
	name, line := "", ""
	for line == "" {
		if c.rng.IntN(8) == 0 && l.name != "json" && l.name != "notebook" {
			name, line = "code", c.pick(codeDecoys)
			continue
		}
		d := decoyKinds[c.rng.IntN(len(decoyKinds))]
		name, line = d.name, d.make(t, c, l)
	}
	from, to := p.add(line)
	for n := from; n <= to; n++ {
		c.decoys = append(c.decoys, decoy{name, p.path, n})
	}
}

// lines writes a file of decoys, one a line.
func (c *corpus) lines(path, kind string, lines []string) {
	p := &page{c: c, path: path}
	for _, l := range lines {
		from, to := p.add(l)
		for n := from; n <= to; n++ {
			c.decoys = append(c.decoys, decoy{kind, path, n})
		}
	}
	c.files = append(c.files, corpusFile{path: path, data: p.data()})
}

func (c *corpus) lockFiles(t testing.TB, n int) {
	for i := range n {
		var npm, sum, cargo, poetry, yarn []string
		for range 24 {
			name := c.expand(t, "{lower:5}-{lower:6}", "")
			npm = append(npm, fmt.Sprintf("    \"node_modules/%s\": {", name), "      \"version\": \"4.17.21\",", fmt.Sprintf("      \"resolved\": \"https://npm.example.org/%s/-/%s-4.17.21.tgz\",", name, name), "      \"integrity\": \"sha512-"+c.expand(t, "{b64key:64}", "")+"\"", "    },")
			sum = append(sum, fmt.Sprintf("example.org/%s v1.2.3 h1:%s", name, c.expand(t, "{b64key:32}", "")), fmt.Sprintf("example.org/%s v1.2.3/go.mod h1:%s", name, c.expand(t, "{b64key:32}", "")))
			cargo = append(cargo, "[[package]]", "name = \""+name+"\"", "version = \"0.4.1\"", "checksum = \""+c.expand(t, "{hex:64}", "")+"\"", "")
			poetry = append(poetry, "    {file = \""+name+"-1.0-py3-none-any.whl\", hash = \"sha256:"+c.expand(t, "{hex:64}", "")+"\"},")
			yarn = append(yarn, name+"@^4.0.0:", "  version \"4.17.21\"", "  resolved \"https://npm.example.org/"+name+"/-/"+name+"-4.17.21.tgz#"+c.expand(t, "{hex:40}", "")+"\"", "  integrity sha512-"+c.expand(t, "{b64key:64}", ""))
		}
		c.lines(fmt.Sprintf("web%d/package-lock.json", i), "lock file", npm)
		c.lines(fmt.Sprintf("svc%d/go.sum", i), "lock file", sum)
		c.lines(fmt.Sprintf("crate%d/Cargo.lock", i), "lock file", cargo)
		c.lines(fmt.Sprintf("py%d/poetry.lock", i), "lock file", poetry)
		c.lines(fmt.Sprintf("web%d/yarn.lock", i), "lock file", yarn)
		var html, known, table, logs []string
		for range 20 {
			html = append(html, `<script src="/static/app.`+c.expand(t, "{hex:20}", "")+`.js" integrity="sha384-`+c.expand(t, "{b64key:48}", "")+`" crossorigin="anonymous"></script>`,
				`<div id="ember`+c.expand(t, "{digit1:5}", "")+`" class="css-`+c.expand(t, "{lowernum:7}", "")+` MuiButton-root" data-testid="password-field">`,
				`<input type="hidden" name="form_build_id" value="form-`+c.expand(t, "{base64url:43}", "")+`">`)
			known = append(known, "host"+c.expand(t, "{digit:2}", "")+".example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"+c.expand(t, "{base64:43}", ""), "SHA256:"+c.expand(t, "{base64:43}", "")+" host (ED25519)")
			table = append(table, c.expand(t, "{hex:64}", "")+"  dist/app_linux_amd64.tar.gz", "INSERT INTO files (id, sha1, name) VALUES ('"+c.expand(t, "{uuid}", "")+"', '"+c.expand(t, "{hex:40}", "")+"', 'report.pdf');")
			logs = append(logs, "2025-11-07T10:14:22Z INFO request_id="+c.expand(t, "{uuid}", "")+" path=/oauth/token status=200", "etag: W/\""+c.expand(t, "{hex:32}", "")+"\"", "uid: "+c.expand(t, "{uuid}", ""), "resourceVersion: \""+c.expand(t, "{digit1:9}", "")+"\"")
		}
		c.lines(fmt.Sprintf("public/index%d.html", i), "page", html)
		c.lines(fmt.Sprintf("ssh/known_hosts%d", i), "host keys", known)
		c.lines(fmt.Sprintf("dist/SHA256SUMS%d", i), "hash table", table)
		c.lines(fmt.Sprintf("logs/app%d.log", i), "log", logs)
	}
}

// minified is one long line of code, with names of secrets in it.
func (c *corpus) minified(t testing.TB, n int) {
	for i := range n {
		var b strings.Builder
		for range 400 {
			b.WriteString(c.pick([]string{
				"function " + c.expand(t, "{lower:1}", "") + "(e,t){return e.password===t.token&&!e.secret}", "var " + c.expand(t, "{lower:2}", "") + "={apiKey:void 0,accessToken:null,secretKey:n.secretKey};",
				"e.exports=\"data:font/woff2;base64,d09GMgAB" + c.expand(t, "{base64:120}", "") + "\";", "t.password=e.password,t.authToken=r(e.authToken);", "if(\"token\"in e)throw Error(\"" + c.expand(t, "{lower:8}", "") + " token\");",
				"{className:\"" + c.expand(t, "{lower:4}-{alnum:6}", "") + "\",hash:\"" + c.expand(t, "{hex:20}", "") + "\"},", "n.d(t,\"a\",(function(){return " + c.expand(t, "{lower:2}", "") + "})),", "passwordPlaceholder:\"Password\",tokenType:\"bearer\",",
			}))
		}
		b.WriteString("\n//# sourceMappingURL=app.js.map")
		c.lines(fmt.Sprintf("public/js/app%d.min.js", i), "minified", strings.Split(b.String(), "\n"))
	}
}

// certificates are public: random bytes stand for them.
func (c *corpus) certificates(t testing.TB, n int) {
	for i := range n {
		var lines []string
		for _, label := range []string{"CERTIFICATE", "PUBLIC KEY", "CERTIFICATE REQUEST", "PGP PUBLIC KEY BLOCK", "PGP SIGNATURE"} {
			lines = append(lines, "-----BEGIN "+label+"-----")
			text := "MII" + c.expand(t, "{base64:900-1500}", "")
			for len(text) > 64 {
				lines, text = append(lines, text[:64]), text[64:]
			}
			lines = append(lines, text, "-----END "+label+"-----", "")
		}
		c.lines(fmt.Sprintf("certs/c%d.pem", i), "certificate", lines)
	}
}

// archives packs pages of their own.
func (c *corpus) archives(t testing.TB, n int) {
	for i := range n {
		inner := &corpus{rng: c.rng, seed: c.next() << 20}
		for j := range 3 {
			l := &languages[c.rng.IntN(len(languages))]
			p := inner.newPage(l, j)
			for range 2 {
				for {
					k := &kinds[c.rng.IntN(len(kinds))]
					if fits(k, l) {
						p.plant(t, k, l)
						break
					}
				}
				p.decoy(t, l)
				p.decoy(t, l)
			}
			inner.files = append(inner.files, corpusFile{path: p.path, data: p.data()})
		}
		slices.SortStableFunc(inner.files, func(a, b corpusFile) int { return strings.Compare(a.path, b.path) })
		inner.files = slices.CompactFunc(inner.files, func(a, b corpusFile) bool { return a.path == b.path })
		name := fmt.Sprintf("backup/b%d.zip", i)
		var buf bytes.Buffer
		if i%2 == 0 {
			z := zip.NewWriter(&buf)
			for _, f := range inner.files {
				w, err := z.Create(f.path)
				if err == nil {
					_, err = w.Write(f.data)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			z.Close()
		} else {
			name = fmt.Sprintf("backup/b%d.tar.gz", i)
			g := gzip.NewWriter(&buf)
			w := tar.NewWriter(g)
			for _, f := range inner.files {
				if err := w.WriteHeader(&tar.Header{Name: f.path, Mode: 0o644, Size: int64(len(f.data))}); err != nil {
					t.Fatal(err)
				}
				w.Write(f.data)
			}
			w.Close()
			g.Close()
		}
		c.files = append(c.files, corpusFile{path: name, data: buf.Bytes(), members: inner.files})
		kept := map[string]bool{}
		for _, f := range inner.files {
			kept[f.path] = true
		}
		for _, p := range inner.planted {
			if kept[p.file] && !slices.ContainsFunc(c.planted, func(o planted) bool { return o.file == name+"!/"+p.file && o.from == p.from }) {
				p.file, p.how = name+"!/"+p.file, "archive, "+p.how
				c.planted = append(c.planted, p)
			}
		}
		for _, d := range inner.decoys {
			if kept[d.file] {
				d.file = name + "!/" + d.file
				c.decoys = append(c.decoys, d)
			}
		}
	}
}

// digest tells two corpora apart.
func (c *corpus) digest() string {
	h := sha512.New()
	for _, f := range c.files {
		sum := sha256.Sum256(f.data)
		fmt.Fprintf(h, "%s %x\n", path.Clean(f.path), sum)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
