package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/mollyguard/mollyguard/api"
	"github.com/mollyguard/mollyguard/breakglass"
)

// console is where somebody sits: what they read and write, their clock, and how
// long things take there.
type console struct {
	streams
	clock
	// after is time.After.
	after func(time.Duration) <-chan time.Time
	// terminal says that stderr is one, on which a line can be written over.
	terminal bool
}

func newConsole(s streams) console {
	file, ok := s.err.(*os.File)
	return console{
		streams: s, clock: clock{time.Now, time.Local}, after: time.After, terminal: ok && term.IsTerminal(int(file.Fd())),
	}
}

// say writes a line of talk.
func (c console) say(format string, args ...any) {
	fmt.Fprintf(c.err, "mollyguard: "+format+"\n", args...)
}

// pause waits, unless ctx ends before.
func (c console) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.after(d):
		return nil
	}
}

// output is the flag --output.
type output string

func (o *output) flag(cmd *cobra.Command) {
	cmd.Flags().StringVarP((*string)(o), "output", "o", "table", "output `FORMAT`: table, json or yaml")
}

func (o output) check() error {
	switch o {
	case "table", "json", "yaml":
		return nil
	}
	return usageError("", "output format %q is not table, json or yaml", string(o))
}

// write prints something for people or for machines.
func (o output) write(s streams, table func(io.Writer) error, object any) error {
	switch o {
	case "json":
		encoder := json.NewEncoder(s.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(object)
	case "yaml":
		return print(s, "yaml", object)
	}
	return table(s.out)
}

// writeCase prints a case: a line of a table, or all that the API has of it.
func (c console) writeCase(o output, v breakglass.View) error {
	return o.write(c.streams, func(w io.Writer) error { return c.table(w, []breakglass.View{v}) }, api.CaseOf(v))
}
