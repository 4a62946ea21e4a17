package sink

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

func TestATextReadsAsItShould(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) { golden(t, "text/"+s.name+".txt", Text(s.alert)) })
	}
}

func TestNoTextFromOutsideBeginsALine(t *testing.T) {
	for line := range strings.Lines(Text(hostile())) {
		line = strings.TrimSuffix(line, "\n")
		if operation.Printable(line) != line {
			t.Errorf("not printable: %q", line)
		}
		for _, smuggled := range []string{"RESOLVED", "  grant     MG-FAKE", "  next      nothing"} {
			if strings.HasPrefix(line, smuggled) {
				t.Errorf("a name began the line %q", line)
			}
		}
	}
}

func TestWhatToDoNextIsNeverCutOff(t *testing.T) {
	a := burst(alert.MaxOperations)
	long := strings.Repeat("€", 10_000)
	a.Title, a.Actor.Name, a.Runbook = long, long, "https://runbooks.example.com/"+strings.Repeat("x", 1000)
	for i := range a.Operations {
		o := &a.Operations[i]
		o.Because, o.Messages, o.Link = []string{long, o.Decision + long}, []string{o.Target.Name + long}, o.Link+strings.Repeat("y", 1500)
	}
	for _, limit := range []int{maxText, maxShoutrrrText} {
		got := text(a, limit)
		if len(got) > limit || !utf8.ValidString(got) {
			t.Errorf("%d bytes, the limit is %d", len(got), limit)
		}
		if !strings.Contains(got, "next      ask ") || !strings.HasSuffix(got, "Phone: 555-0100\n") {
			t.Errorf("limit %d: the end is missing:\n%s", limit, got)
		}
	}
}

func TestAnAlertOfNothingHasAText(t *testing.T) {
	want := ": \n\n  incident  , revision 0, of \n"
	if diff := cmp.Diff(want, Text(alert.Alert{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOnlyLinksToSitesAreLinks(t *testing.T) {
	for text, want := range map[string]string{
		"https://a.example/b?c=d&e=f":                      "https://a.example/b?c=d&e=f",
		"http://a.example/":                                "http://a.example/",
		"javascript:alert(1)":                              "",
		"//a.example/":                                     "",
		"https:///x":                                       "",
		"https://user:pw@a.example/":                       "",
		"https://a.example/?q=<x>|\"y\"`":                  "https://a.example/?q=%3Cx%3E%7C%22y%22%60",
		"https://a.example/?q=\u202Ex":                     "",
		"https://a.example/\nx":                            "",
		"https://a.example/" + strings.Repeat("x", maxURL): "",
	} {
		if got := webURL(text); got != want {
			t.Errorf("webURL(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("title\n", "name\u202E", "x\x1b[0m", "https://x.example/\"")
	f.Fuzz(func(t *testing.T, title, name, message, link string) {
		a := violation()
		a.Title, a.Actor.Name, a.Help, a.Runbook = title, name, message, link
		o := &a.Operations[0]
		o.Target.Name, o.Messages, o.Link, o.Because = name, []string{message}, link, []string{title}
		lines := strings.Count(Text(violation()), "\n")
		got := Text(a)
		if strings.ContainsFunc(got, func(r rune) bool { return r != '\n' && r != ' ' && !unicode.IsPrint(r) }) || len(got) > maxText {
			t.Errorf("not printable, or too long: %q", got)
		}
		// Help is the configuration's and may have lines of its own.
		if more := strings.Count(got, "\n") - lines; more > strings.Count(message, "\n") {
			t.Errorf("%d lines more:\n%s", more, got)
		}
	})
}
