package alert

import "strings"

// Trouble says what a blind alert is about, and which source or sink it is that
// cannot see or be told; kind is empty if it is none, or of a kind that no trouble
// has. It is read off the title, in which it stands in words of our own.
func (a Alert) Trouble() (kind TroubleKind, source string) {
	if a.Kind != Blind {
		return "", ""
	}
	return troubleOf(a.Title)
}

// troubleOf reads what troubleTitle, overTitle and the count of what cannot be decoded
// write. A title that was cut off in the source's name is of no kind.
func troubleOf(title string) (kind TroubleKind, source string) {
	for _, text := range kind.Values() {
		kind := TroubleKind(text)
		for _, words := range []string{troubleTitle(Trouble{Kind: kind, Source: anySource}), overTitle(kind, anySource)} {
			before, after, _ := strings.Cut(words, anySource)
			rest, begins := strings.CutPrefix(title, before)
			if source, ends := strings.CutSuffix(rest, after); begins && ends && source != "" {
				return kind, source
			}
		}
	}
	if rest, ok := strings.CutPrefix(title, "mollyguard could not read "); ok {
		if _, rest, ok = strings.Cut(rest, " entries of "); ok {
			return Undecodable, strings.TrimSuffix(rest, " in 1 minute")
		}
	}
	return "", ""
}

// anySource stands for the name of a source where only the words around it matter.
const anySource = "SOURCE"

// overTitle is the title of a trouble that is over: the old one would say that it is
// not.
func overTitle(kind TroubleKind, source string) string {
	words := map[TroubleKind]string{
		Silence:     "mollyguard is not blind any more: %s is read",
		Gap:         "mollyguard has all entries of %s after all",
		Missing:     "mollyguard is not blind any more: %s is there",
		Forbidden:   "mollyguard is not blind any more: it may read %s",
		Exhausted:   "mollyguard sees in time again: the quota of %s is enough",
		Unreachable: "mollyguard is not blind any more: %s answers",
		Undecodable: "mollyguard can read the entries of %s again",
		Unlabelled:  "mollyguard knows again what is production: the labels of %s are refreshed",
		Undelivered: "alerts reach sink %s again",
		Damaged:     "mollyguard can read all that it keeps of alerts in %s",
	}[kind]
	if words == "" {
		words = "mollyguard has no trouble with %s any more"
	}
	return line(strings.Replace(words, "%s", source, 1))
}
