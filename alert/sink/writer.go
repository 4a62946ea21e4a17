package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/mollyguard/mollyguard/alert"
)

// Format says how alerts are written.
type Format string

// The formats.
const (
	// FormatLine is one line of text for each alert.
	FormatLine Format = "line"
	// FormatText is Text, with an empty line after it.
	FormatText Format = "text"
	// FormatJSON is the alert.Alert, one a line.
	FormatJSON Format = "json"
)

// Values lists every Format.
func (Format) Values() []string {
	return []string{string(FormatLine), string(FormatText), string(FormatJSON)}
}

// WriterOptions say where to write and how.
type WriterOptions struct {
	// To gets each alert in one Write.
	To io.Writer
	// Format is FormatLine if empty.
	Format Format
}

// Writer writes alerts to a stream, such as stdout. An alert that was written is
// delivered: nobody says whether it is read. Send is for one goroutine at a time.
type Writer struct {
	to     io.Writer
	format Format
	// leash lets one write hang, on a pipe that nobody reads, and none beside it.
	leash leash
}

// NewWriter checks the options.
func NewWriter(o WriterOptions) (*Writer, error) {
	if o.To == nil {
		return nil, errors.New("stdout: nothing to write to")
	}
	switch o.Format {
	case "":
		o.Format = FormatLine
	case FormatLine, FormatText, FormatJSON:
	default:
		return nil, fmt.Errorf("stdout: format %q is none of %v", string(o.Format), o.Format.Values())
	}
	return &Writer{o.To, o.Format, newLeash(1)}, nil
}

// Send implements alert.Sink.
func (s *Writer) Send(ctx context.Context, a alert.Alert) error {
	data, err := s.encode(a)
	if err != nil {
		return fmt.Errorf("stdout: %w", err)
	}
	err = s.leash.run(ctx, func() error {
		n, err := s.to.Write(data)
		if err == nil && n < len(data) {
			err = io.ErrShortWrite
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("stdout: %w", err)
	}
	return nil
}

func (s *Writer) encode(a alert.Alert) ([]byte, error) {
	switch s.format {
	case FormatJSON:
		data, err := json.Marshal(a)
		return append(terminalSafe(data), '\n'), err
	case FormatText:
		return []byte(Text(a) + "\n"), nil
	default:
		return []byte(line(a) + "\n"), nil
	}
}

// line tells an alert in one line.
func line(a alert.Alert) string {
	said := a.Updated.UTC().Format(time.RFC3339) + " " + headline(a)
	if a.Count > 1 {
		said += fmt.Sprintf(" (%d operations)", a.Count)
	}
	said += fmt.Sprintf(" [%s revision %d]", shown(a.ID), a.Revision)
	if link := firstOf(links(a, 1)); link != "" {
		said += " " + link
	}
	return said
}

// terminalSafe escapes in JSON what could move a cursor or hide text: encoding/json
// leaves what overrides the direction of writing, for one. Outside of strings there is
// nothing of the kind.
func terminalSafe(data []byte) []byte {
	var safe []byte
	for _, r := range string(data) {
		switch {
		case r == ' ' || unicode.IsPrint(r):
			safe = append(safe, string(r)...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			safe = fmt.Appendf(safe, `\u%04x\u%04x`, high, low)
		default:
			safe = fmt.Appendf(safe, `\u%04x`, r)
		}
	}
	return safe
}
