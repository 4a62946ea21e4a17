package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestACommandIsSplitAsAShellSplitsIt(t *testing.T) {
	for _, tt := range []struct {
		name, line string
		want       []string
	}{
		{"nothing", " \t ", nil},
		{"words", "kubectl  delete\tns shop", []string{"kubectl", "delete", "ns", "shop"}},
		{"single quotes keep everything", `a 'b  $c "d" \e'`, []string{"a", `b  $c "d" \e`}},
		{"double quotes keep spaces", `a "b  'c'"`, []string{"a", "b  'c'"}},
		{"a backslash in double quotes", `"a\"b\\c\$d\e"`, []string{`a"b\c$d\e`}},
		{"a backslash", `a\ b \"c\'`, []string{"a b", `"c'`}},
		{"quotes within a word", `-l'app=web'",tier=1"`, []string{"-lapp=web,tier=1"}},
		{"an empty word", `a '' ""`, []string{"a", "", ""}},
		{"the next line", "a \\\n  b", []string{"a", "b"}},
		{"the next line in quotes", "\"a\\\nb\"", []string{"ab"}},
		{"what is special only at the beginning", "a~b c#d", []string{"a~b", "c#d"}},
		{"what is special in quotes only to others", `'*' "a|b;c" \$`, []string{"*", "a|b;c", "$"}},
		{"other letters", "shöp", []string{"shöp"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := shellWords(tt.line)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("words (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatOnlyAShellKnowsIsRefused(t *testing.T) {
	for _, tt := range []struct{ name, line, want string }{
		{"a variable", "kubectl delete ns $NS", "a variable"},
		{"a variable in quotes", `kubectl delete ns "$NS"`, "a variable"},
		{"a substitution", "kubectl delete ns $(cat f)", "a variable"},
		{"an old substitution", "kubectl delete ns `cat f`", "a command substitution"},
		{"one in quotes", "kubectl delete ns \"`cat f`\"", "a command substitution"},
		{"a subshell", "(kubectl delete ns a)", "a subshell"},
		{"a pipe", "kubectl delete ns a | cat", "a pipe"},
		{"and", "kubectl delete ns a && kubectl delete ns b", "a second command"},
		{"a semicolon", "kubectl delete ns a; id", "a second command"},
		{"a second line", "kubectl delete ns a\nid", "a second command"},
		{"a redirection", "kubectl delete ns a > f", "a redirection"},
		{"a here document", "kubectl delete -f - <<E", "a redirection"},
		{"a star", "kubectl delete -f *.yaml", "a pattern"},
		{"a question mark", "kubectl delete ns a?", "a pattern"},
		{"a bracket", "kubectl delete ns [ab]", "a pattern"},
		{"braces", "kubectl delete ns {a,b}", "a brace expansion"},
		{"a home folder", "kubectl delete -f ~/a.yaml", "a home folder"},
		{"a comment", "kubectl delete ns a # b", "a comment"},
		{"an open quote", "kubectl delete ns 'a", "a quote (') that does not end"},
		{"an open double quote", `kubectl delete ns "a\"`, `a quote (") that does not end`},
		{"a backslash at the end", `kubectl delete ns a\`, `ends in a backslash`},
		{"too long", strings.Repeat("a", maxCommand+1), "longer than 16 KiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			words, err := shellWords(tt.line)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, %v; want an error with %q", words, err, tt.want)
			}
		})
	}
}

func FuzzShellWords(f *testing.F) {
	for _, line := range []string{"kubectl delete ns shop", `a 'b' "c\"d" e\ f`, "$x", "a\\\nb", `"`, `\`} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := shellWords(line)
		if err != nil {
			return
		}
		quoted := make([]string, len(words))
		for i, word := range words {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		again, err := shellWords(strings.Join(quoted, " "))
		if len(strings.Join(quoted, " ")) > maxCommand {
			return
		}
		if err != nil || !slices.Equal(words, again) {
			t.Errorf("%q became %q, and quoted %q, %v", line, words, again, err)
		}
	})
}

func TestAQuotedWordIsOneWordAgain(t *testing.T) {
	for word, want := range map[string]string{
		"https://mollyguard:9443": "https://mollyguard:9443",
		"a b":                     "'a b'",
		"it's":                    `'it'\''s'`,
		"$(x)":                    "'$(x)'",
		"":                        "''",
	} {
		got := quoted(word)
		if got != want {
			t.Errorf("%q: got %s, want %s", word, got, want)
		}
		if words, err := shellWords("x " + got); err != nil || len(words) != 2 || words[1] != word {
			t.Errorf("%s is read as %q, %v", got, words, err)
		}
	}
}
