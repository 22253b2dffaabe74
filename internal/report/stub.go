package report

import "io"

func newJSON(w io.Writer, o Options) Sink        { return nil }
func newSARIF(w io.Writer, o Options) Sink       { return nil }
func newGitLab(w io.Writer, o Options) Sink      { return nil }
func newCodeQuality(w io.Writer, o Options) Sink { return nil }
func newHTML(w io.Writer, o Options) Sink        { return nil }
func newMarkdown(w io.Writer, o Options) Sink    { return nil }
