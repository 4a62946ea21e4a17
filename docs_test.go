package mollyguard_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	// aLink is an inline link or image, without its title.
	aLink = regexp.MustCompile(`\]\(<?([^()\s<>]+(?:\([^()\s]*\)[^()\s<>]*)*)>?(?:\s+"[^"]*")?\)`)
	// aReference is the target of a link that is written elsewhere: [name]: target.
	aReference  = regexp.MustCompile(`(?m)^\[[^\]]+\]:\s+(\S+)`)
	aHeading    = regexp.MustCompile(`^ {0,3}#{1,6}\s+(.*?)(?:\s+#+)?\s*$`)
	aFence      = regexp.MustCompile("^ {0,3}(```+|~~~+)")
	inlineCode  = regexp.MustCompile("`[^`\n]*`")
	linkText    = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	namedAnchor = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
	// notInAnchors is what GitHub leaves out of a heading's anchor
	// (https://docs.github.com/get-started/writing-on-github/getting-started-with-writing-and-formatting-on-github/basic-writing-and-formatting-syntax#section-links).
	notInAnchors = regexp.MustCompile(`[^\p{L}\p{M}\p{N}_\- ]`)
)

// page is what is looked at of a Markdown file.
type page struct {
	anchors map[string]bool
	links   []string
}

// readPage reads the headings and links of a page; code is neither.
func readPage(text string) page {
	p := page{anchors: map[string]bool{}}
	var prose strings.Builder
	fence := ""
	for line := range strings.Lines(text) {
		if mark := aFence.FindStringSubmatch(line); mark != nil && (fence == "" || strings.HasPrefix(mark[1], fence)) {
			if fence == "" {
				fence = mark[1]
			} else {
				fence = ""
			}
			continue
		}
		if fence != "" {
			continue
		}
		if heading := aHeading.FindStringSubmatch(strings.TrimRight(line, "\n")); heading != nil {
			p.heading(heading[1])
		}
		prose.WriteString(inlineCode.ReplaceAllString(line, ""))
	}
	for _, pattern := range []*regexp.Regexp{aLink, aReference} {
		for _, link := range pattern.FindAllStringSubmatch(prose.String(), -1) {
			p.links = append(p.links, link[1])
		}
	}
	for _, anchor := range namedAnchor.FindAllStringSubmatch(prose.String(), -1) {
		p.anchors[anchor[1]] = true
	}
	return p
}

// heading adds the anchor of a heading: the second of the same name has -1 behind it.
func (p page) heading(text string) {
	text = strings.ToLower(linkText.ReplaceAllString(text, "$1"))
	anchor := strings.ReplaceAll(notInAnchors.ReplaceAllString(text, ""), " ", "-")
	name := anchor
	for n := 1; p.anchors[name]; n++ {
		name = fmt.Sprintf("%s-%d", anchor, n)
	}
	p.anchors[name] = true
}

func TestPagesAreReadAsGitHubReadsThem(t *testing.T) {
	const text = "# The way, in `short`: 1.0\n\n## A [link](a.md#b) in it\n## Twice\n## Twice\n" +
		"[x](y.md) `[no](code.md)` ![i](<i.png> \"title\")\n```sh\n# no heading\n[no](fence.md)\n```\n<a id=\"own\"></a>\n\n[r]: r.md\n"
	want := page{
		anchors: map[string]bool{"the-way-in-short-10": true, "a-link-in-it": true, "twice": true, "twice-1": true, "own": true},
		links:   []string{"a.md#b", "y.md", "i.png", "r.md"},
	}
	if diff := cmp.Diff(want, readPage(text), cmp.AllowUnexported(page{})); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
}

// pages are all that people read of this module, by their paths.
func pages(t *testing.T) map[string]page {
	t.Helper()
	all := map[string]page{}
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".md"):
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		all[filepath.ToSlash(name)] = readPage(string(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryLinkBetweenPagesLeadsSomewhere(t *testing.T) {
	all := pages(t)
	count := 0
	for name, p := range all {
		for _, link := range p.links {
			target, err := url.Parse(link)
			if err != nil {
				t.Errorf("%s: %s: %v", name, link, err)
				continue
			}
			if target.IsAbs() || target.Host != "" {
				continue
			}
			count++
			file := name
			if target.Path != "" {
				file = path.Join(path.Dir(name), target.Path)
			}
			if strings.HasPrefix(file, "../") {
				t.Errorf("%s: %s leads out of the repository", name, link)
				continue
			}
			if _, err := os.Stat(filepath.FromSlash(file)); errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %s: there is no %s", name, link, file)
				continue
			} else if err != nil {
				t.Fatal(err)
			}
			if to, isPage := all[file]; isPage && target.Fragment != "" && !to.anchors[target.Fragment] {
				t.Errorf("%s: %s: %s has no such heading", name, link, file)
			}
		}
	}
	if count < 100 {
		t.Errorf("only %d links were found: the test looks at too little", count)
	}
}
