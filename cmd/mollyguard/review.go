package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/mollyguard/mollyguard/operation"
	"github.com/mollyguard/mollyguard/webhook"
)

// maxInput is how many bytes review reads of one input: 100,000 reviews of the
// usual 10 KB, a busy cluster's day.
const maxInput = 1 << 30

type reviewOptions struct {
	config, objects, output string
}

func newReview(s streams) *cobra.Command {
	var o reviewOptions
	cmd := &cobra.Command{
		Use:   "review [flags] FILE…|-",
		Short: "Judge recorded AdmissionReviews offline",
		Long: `Judge recorded AdmissionReviews offline, on the same code path as the server.

Each FILE holds one AdmissionReview, a list (an array, or an object with items),
or one per line. There is no cluster to ask: labels of namespaces, and of the
objects behind scales and evictions, come from --objects. What is still not known
counts as not production, here only; the record lists it under "unknown".

Exit code: 0 all allowed, 3 any denied, 1 any that could not be decided, whatever
else was denied.`,
		Example: `  mollyguard review review.json
  mollyguard review -o json --objects <(kubectl get ns,deploy,pods -A -o json) reviews.jsonl`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError("usage: "+cmd.UseLine(), "name at least one file with AdmissionReviews, or - for standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return review(cmd.Context(), s, o, args) },
	}
	cmd.Flags().StringVar(&o.config, "config", "", "configuration `FILE` (default: built-in defaults)")
	cmd.Flags().StringVar(&o.objects, "objects", "", "`FILE` with objects as kubectl get -o json prints them")
	cmd.Flags().StringVarP(&o.output, "output", "o", "text", "output `FORMAT`: text or json")
	return cmd
}

// discard records nothing: offline, the output is the record.
type discard struct{}

func (discard) Record(context.Context, operation.Decision) error { return nil }

func review(ctx context.Context, s streams, o reviewOptions, files []string) error {
	if o.output != "text" && o.output != "json" {
		return usageError("", "output format %q is not text or json", o.output)
	}
	c, err := loadConfig(o.config)
	if err != nil {
		return err
	}
	lookup, err := fileLookup(s, o.objects)
	if err != nil {
		return err
	}
	a, err := assemble(ctx, c, parts{lookup: lookup, recorder: discard{}, offline: true})
	if err != nil {
		return err
	}
	var seen outcomes
	reviews := 0
	printer := printAnswer(s.out, o.output, webhook.Advice{Help: c.Help})
	for _, name := range files {
		err := eachReview(s, name, func(body []byte) error {
			reviews++
			answer := a.reviewer.Review(ctx, body, "")
			seen.add(answer.Decision)
			return printer(name, answer)
		})
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if reviews == 0 {
		return errors.New("no AdmissionReview in there: an empty list")
	}
	return seen.err()
}

func fileLookup(s streams, path string) (*webhook.FileLookup, error) {
	if path == "" {
		return webhook.NewFileLookup(nil)
	}
	input, closeInput, err := open(s, path)
	if err != nil {
		return nil, err
	}
	lookup, err := webhook.NewFileLookup(input)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return lookup, errors.Join(err, closeInput())
}

// open opens a file, or standard input for "-".
func open(s streams, path string) (io.Reader, func() error, error) {
	if path == "-" {
		return s.in, func() error { return nil }, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	return file, file.Close, nil
}

// eachReview hands every AdmissionReview of a file to fn, one at a time. A text
// that is not JSON is handed on as it is, so that it is judged like any other
// review that cannot be read; what follows it cannot be found.
func eachReview(s streams, path string, fn func(body []byte) error) error {
	input, closeInput, err := open(s, path)
	if err != nil {
		return err
	}
	limited := &io.LimitedReader{R: input, N: maxInput + 1}
	err = eachValue(limited, fn)
	if err == nil && limited.N <= 0 {
		err = fmt.Errorf("more than %d MiB", maxInput>>20)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return errors.Join(err, closeInput())
}

func eachValue(r io.Reader, fn func(body []byte) error) error {
	decoder := jsontext.NewDecoder(r, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)) // judged later
	for n := 0; ; n++ {
		value, err := decoder.ReadValue()
		switch {
		case errors.Is(err, io.EOF) && n > 0:
			return nil
		case err != nil && !aboutText(err):
			return cmp.Or(errors.Unwrap(err), err) // less "jsontext: read error"
		case err != nil:
			rest := append([]byte(nil), decoder.UnreadBuffer()...)
			return fn(rest)
		}
		if err := eachOf(value.Clone(), fn); err != nil {
			return err
		}
	}
}

// aboutText says whether an error is about what was read, not about reading.
func aboutText(err error) bool {
	var syntactic *jsontext.SyntacticError
	return errors.Is(err, io.EOF) || errors.As(err, &syntactic)
}

// eachOf looks into an array, and into a List.
func eachOf(value jsontext.Value, fn func(body []byte) error) error {
	var items []json.RawMessage
	switch value.Kind() {
	case '[':
		if err := json.Unmarshal(value, &items); err != nil {
			return err
		}
	case '{':
		var list struct {
			Items []json.RawMessage `json:"items"`
		}
		if err := json.Unmarshal(value, &list); err != nil || list.Items == nil {
			return fn(value)
		}
		items = list.Items
	default:
		return fn(value)
	}
	for _, item := range items {
		if err := fn(item); err != nil {
			return err
		}
	}
	return nil
}

// printAnswer returns a function that prints answers in a format.
func printAnswer(w io.Writer, format string, advice webhook.Advice) func(source string, answer webhook.Answer) error {
	if format == "json" {
		encoder := json.NewEncoder(w)
		return func(_ string, answer webhook.Answer) error { return encoder.Encode(answer.Decision) }
	}
	return func(source string, answer webhook.Answer) error {
		_, err := io.WriteString(w, text(source, answer, advice))
		return err
	}
}

// text is an answer for people: what kubectl would show, under a line that says
// what it is the answer to.
func text(source string, answer webhook.Answer, advice webhook.Advice) string {
	d := answer.Decision
	if answer.Failure == webhook.Undecoded { // there is little to tell what it is the answer to
		return fmt.Sprintf("%s: %s: %s\n", source, d.Outcome, operation.Printable(d.Error))
	}
	out := fmt.Sprintf("%s: %s\n", source, summary(d))
	if answer.NotOurs {
		return out + "  not ours: connections and updates of a status are not judged\n"
	}
	if d.Refused() {
		return out + "\n" + indent(webhook.Message(d, advice)) + "\n"
	}
	for _, warning := range webhook.Warnings(d) {
		out += "  warning: " + warning + "\n"
	}
	if d.Exempt != "" {
		out += "  exempt: " + operation.Printable(d.Exempt) + "\n"
	}
	for _, unknown := range d.Unknown {
		out += "  unknown: " + operation.Printable(unknown) + "\n"
	}
	return out
}
