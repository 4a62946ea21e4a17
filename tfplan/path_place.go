package tfplan

import (
	"fmt"
	"regexp"
	"strings"
)

// place says where a text is: one of some paths, and which segment of what is there.
type place []option

type option struct {
	at route
	// pick is "", last, or the segment before the one that is meant.
	pick string
}

var pickForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

func parsePlace(text string) (place, error) {
	var p place
	for _, one := range strings.Split(text, "|") {
		path, pick, picks := strings.Cut(one, ":")
		at, err := parseRoute(path)
		if err != nil {
			return nil, err
		}
		if picks && !pickForm.MatchString(pick) {
			return nil, fmt.Errorf("%q: after a colon there is last, or the segment before the one that is meant", text)
		}
		p = append(p, option{at, pick})
	}
	return p, nil
}

// text returns the first text or number that the place leads to, and the path to it.
// What sensitive marks is never taken.
func (p place) text(values, sensitive any) (text string, at route) {
	for _, o := range p {
		for _, f := range o.at.all(values) {
			text, ok := plain(f.value)
			if text = o.of(text); ok && text != "" && !marked(sensitive, f.at) {
				return text, f.at
			}
		}
	}
	return "", nil
}

// hidden reports whether the place leads to a text or number that is sensitive.
func (p place) hidden(values, sensitive any) bool {
	for _, o := range p {
		for _, f := range o.at.all(values) {
			if text, ok := plain(f.value); ok && o.of(text) != "" && marked(sensitive, f.at) {
				return true
			}
		}
	}
	return false
}

func (o option) of(text string) string {
	// arn:partition:service:region:account:resource
	// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html)
	if parts := strings.SplitN(text, ":", 6); len(parts) == 6 && parts[0] == "arn" {
		switch o.pick {
		case "region":
			return parts[3]
		case "account":
			return parts[4]
		}
	}
	switch o.pick {
	case "":
		return text
	case "last":
		return lastSegment(text)
	}
	before := ""
	for segment := range strings.SplitSeq(text, "/") {
		if before == o.pick {
			return segment
		}
		before = segment
	}
	return ""
}

func lastSegment(text string) string {
	text = strings.TrimRight(text, "/")
	return text[strings.LastIndexByte(text, '/')+1:]
}

// template is a canonical name with places in braces.
type template struct {
	texts []string // one more than holes
	holes []hole
}

type hole struct {
	name string // as written
	at   place
}

var (
	holeForm = regexp.MustCompile(`\{([^{}]*)\}`)
	// refForm is a scheme and something behind it. The schemes of what is called by other
	// means are not to be had.
	refForm = regexp.MustCompile(`^([a-z][a-z0-9]*)://[^\s{}]*(?:\{[^{}]+\}[^\s{}]*)+$`)
)

func parseTemplate(text string) (template, error) {
	m := refForm.FindStringSubmatch(text)
	if m == nil {
		return template{}, fmt.Errorf("%q: a name is SCHEME://…, with at least one place in braces", text)
	}
	switch m[1] {
	case "k8s", "plan", "terraform":
		return template{}, fmt.Errorf("%q: names with %s:// are not written by rules", text, m[1])
	}
	var t template
	end := 0
	for _, h := range holeForm.FindAllStringSubmatchIndex(text, -1) {
		name := text[h[2]:h[3]]
		p, err := parsePlace(name)
		if err != nil {
			return template{}, err
		}
		t.texts, t.holes = append(t.texts, text[end:h[0]]), append(t.holes, hole{name, p})
		end = h[1]
	}
	t.texts = append(t.texts, text[end:])
	return t, nil
}

// write fills the template in; "" if a value is missing.
func (t template) write(value func(hole) string) string {
	if len(t.holes) == 0 {
		return ""
	}
	var b strings.Builder
	for i, h := range t.holes {
		text := strings.Trim(value(h), "/")
		if text == "" {
			return ""
		}
		b.WriteString(t.texts[i])
		b.WriteString(text)
	}
	b.WriteString(t.texts[len(t.holes)])
	return b.String()
}
