package operation

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable returns s with everything that could move a terminal's cursor, forge
// a line or hide text (control and format characters, invalid UTF-8) written as
// a Go escape. Names and users come from outside: an object's name may hold an
// escape sequence, since the API server only bars "/", "%", "." and ".." in some
// kinds (k8s.io/apimachinery api/validation/path).
func Printable(s string) string {
	if strings.IndexFunc(s, unprintable) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unprintable(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func unprintable(r rune) bool {
	return r == unicode.ReplacementChar || r != ' ' && !unicode.IsPrint(r)
}

// Clip cuts a text to at most limit bytes, at a character, and shows that it did. A
// limit below the length of the mark, 3, gives the mark alone.
func Clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	const mark = "…"
	end := max(limit-len(mark), 0)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}
