package pipeline

import (
	"regexp"
	"strings"
)

var (
	// pyImport is a statement that loads modules.
	pyImport = regexp.MustCompile(`(?:^|[\n;:])[ \t]*(?:import[ \t]+([\w., \t]+)|from[ \t]+(\w+)[\w.]*[ \t]+import\b)`)
	// nodeLoad is a call or a statement that loads a module.
	nodeLoad = regexp.MustCompile(`\b(?:require|import)\s*\(\s*["'` + "`" + `]([^"'` + "`" + `\n]+)["'` + "`" + `]|\bfrom\s+["']([^"'\n]+)["']`)
)

const (
	// pyLoaded are modules that the interpreter has loaded or holds in itself before the
	// first line runs, so that no file of the folder is looked for.
	pyLoaded = "sys os io time abc codecs site stat posix posixpath ntpath nt genericpath builtins marshal errno gc itertools atexit encodings zipimport _thread __future__ __main__"
	// pyOwn are modules of Python that are run by name.
	pyOwn   = "pip venv ensurepip virtualenv pipx json http zipfile tarfile compileall py_compile base64 site sysconfig platform timeit this calendar gzip webbrowser cProfile profile trace pdb ast tokenize dis inspect uuid random zipapp idlelib turtledemo test asyncio sqlite3 tkinter smtpd ftplib email encodings lib2to3 tabnanny doctest"
	nodeOwn = "fs path os child_process http https crypto util url events stream assert zlib process readline buffer querystring timers net dns tls module vm v8 worker_threads perf_hooks"

	runsModule = "loads modules, for which it looks in the folder first"
)

// loads reports a program given on the command line or as input that loads modules from
// the folder in which it runs.
// https://docs.python.org/3/library/sys_path_init.html: with -c, -m and - the folder is the
// first place, but for -I, -P and PYTHONSAFEPATH.
func (r *shRun) loads(name string, args []shArg, stdin shVal) {
	start, end := args[0].start, args[len(args)-1].end
	python := strings.HasPrefix(name, "py")
	node := name == "node" || name == "nodejs"
	if name == "Rscript" {
		if r.has(args, "-e") && !r.has(args, "--vanilla", "--no-init-file") {
			r.execute("Rscript -e", "", "runs .Rprofile of the folder", start, end)
		}
		return
	}
	if !python && !node || python && r.safePath() {
		return
	}
	code, given := "", len(args) == 1
	for i := 1; i < len(args); i++ {
		t := args[i].text()
		if python && strings.HasPrefix(t, "-") && !strings.HasPrefix(t, "--") && strings.ContainsAny(t, "IP") && !strings.HasPrefix(t, "-m") {
			return
		}
		switch {
		case t == "-":
			given = true
		case shIn(shellCodeOptions[name], t) || python && strings.HasPrefix(t, "-") && !strings.HasPrefix(t, "--") && strings.HasSuffix(t, "c"):
			if i+1 < len(args) {
				code = shSymbol(args[i+1].v)
			}
		case t == "-m" && python:
			if i+1 < len(args) {
				r.module(name, args[i+1].text(), args[i+1:], start, end)
			}
			return
		case strings.HasPrefix(t, "-") && len(t) > 1:
			if t == "-W" || t == "-X" || t == "-r" || t == "--require" || t == "--import" {
				i++
			}
			continue
		}
		break
	}
	if given {
		code = shSymbol(stdin)
	}
	if len(code) > 1<<16 {
		code = code[:1<<16]
	}
	if python {
		for _, m := range pyImport.FindAllStringSubmatch(code, 100) {
			for _, word := range strings.Split(m[1]+","+m[2], ",") {
				word, _, _ = strings.Cut(strings.TrimSpace(word), " ")
				if word, _, _ = strings.Cut(word, "."); word != "" && !shIn(pyLoaded, word) {
					r.execute(name, "", runsModule+": "+shPrint(word), start, end)
					return
				}
			}
		}
		return
	}
	for _, m := range nodeLoad.FindAllStringSubmatch(code, 100) {
		module := strings.TrimPrefix(m[1]+m[2], "node:")
		if first, _, _ := strings.Cut(module, "/"); shIn(nodeOwn, first) || strings.HasSuffix(module, ".json") || strings.HasPrefix(module, "/") || strings.HasPrefix(module, "@actions/") || strings.ContainsAny(module, "$\x00") {
			continue
		}
		r.execute(name, "", "loads "+shPrint(module)+" of the folder", start, end)
		return
	}
}

// module is python -m.
func (r *shRun) module(name, module string, args []shArg, start, end int) {
	if i := strings.IndexByte(module, '.'); i > 0 {
		module = module[:i]
	}
	if module == "" || !shIsName(module) || shIn(pyOwn, module) || module == "build" || module == "unittest" {
		return
	}
	for i := range shellRunners {
		if shellRunners[i].cmd == module {
			return // known by what it runs
		}
	}
	r.execute(name+" -m "+shPrint(module), "", runsModule, start, end)
}

// safePath reports whether PYTHONSAFEPATH is set.
func (r *shRun) safePath() bool {
	if r.in.SafePath {
		return true
	}
	v, ok := r.st.vars.m["PYTHONSAFEPATH"]
	return ok && len(v.v) > 0
}
