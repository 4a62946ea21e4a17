package webhook

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/mollyguard/mollyguard/operation"
)

// The table of dependents fits a terminal of 100 columns: a label takes 12 of them,
// and mollyguard review indents by another 2.
const (
	tableWidth = 86
	// maxKinds rows and maxVolumes lines of that width are less than 2 KiB, half of
	// maxMessage.
	maxKinds   = 10
	maxVolumes = 5
	// maxNamed is how many names a row has, if they fit: a namespace is known by a few.
	maxNamed = 5
	// minNames is what names have at least, however wide the kind is: 63 characters are
	// allowed (k8s.io/apiextensions-apiserver pkg/apis/apiextensions/validation).
	minNames = 24
	maxKind  = 30
	// maxPart is how much of a name a line about a volume shows.
	maxPart = 60
)

// dependentsTable shows what depends on the target: a line of headings and one for each kind and
// way to depend, those with production first. Nothing in it can begin a line.
func dependentsTable(list []operation.Dependents) []string {
	if len(list) == 0 {
		return nil
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b operation.Dependents) int {
		return cmp.Compare(min(b.Production, 1), min(a.Production, 1))
	})
	more := max(len(list)-maxKinds, 0)
	list = list[:len(list)-more]
	rows := [][4]string{{"KIND", "VIA", "COUNT", "PRODUCTION"}}
	for _, d := range list {
		rows = append(rows, [4]string{
			operation.Clip(operation.Printable(d.Kind), maxKind), operation.Clip(operation.Printable(string(d.Via)), maxKind),
			strconv.Itoa(d.Count), strconv.Itoa(d.Production),
		})
	}
	var widths [4]int
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	room := max(tableWidth-widths[0]-widths[1]-widths[2]-widths[3]-len("        "), minNames)
	var lines []string
	for i, row := range rows {
		last := "NAMES"
		if i > 0 {
			last = namesCell(list[i-1], room)
		}
		var b strings.Builder
		b.Grow(tableWidth + len(last))
		for column, cell := range row {
			if column < 2 {
				pad(&b, cell, widths[column])
			} else { // numbers
				pad(&b, "", widths[column]-len(cell))
				b.WriteString(cell)
			}
			b.WriteString("  ")
		}
		b.WriteString(last)
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	switch more {
	case 0:
	case 1:
		lines = append(lines, "and 1 more kind")
	default:
		lines = append(lines, fmt.Sprintf("and %d more kinds", more))
	}
	return lines
}

// pad writes a text and as many spaces as make it so many characters wide.
func pad(b *strings.Builder, text string, width int) {
	b.WriteString(text)
	for range width - utf8.RuneCountInString(text) {
		b.WriteByte(' ')
	}
}

// namesCell lists as many names as there is room for, and shows if there are more.
func namesCell(d operation.Dependents, room int) string {
	const more = ", …"
	var text string
	shown := 0
	for _, name := range d.Names[:min(len(d.Names), maxNamed)] {
		name = operation.Printable(name)
		if shown == 0 {
			text, shown = operation.Clip(name, room-len(more)), 1
			continue
		}
		if utf8.RuneCountInString(text+", "+name+more) > room {
			break
		}
		text += ", " + name
		shown++
	}
	if shown > 0 && d.Count > shown {
		text += more
	}
	return text
}

// volumeLines tells of each volume where it is, what becomes of its data, and what is left
// of them: the newest snapshot, and how old it is as of at.
func volumeLines(list []operation.Volume, at time.Time) []string {
	var lines []string
	for _, v := range list[:min(len(list), maxVolumes)] {
		lines = append(lines, volumeTold(v)+", newest snapshot "+snapshotTold(v, at))
	}
	if more := len(list) - maxVolumes; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return lines
}

func volumeTold(v operation.Volume) string {
	name, reclaim := partOf(v.Name), partOf(v.ReclaimPolicy)
	claim := name
	details := []string{reclaim}
	if v.Claim != "" {
		claim = partOf(v.Claim)
		details = []string{cmp.Or(name, "not bound"), reclaim}
	}
	details = slices.DeleteFunc(details, func(s string) bool { return s == "" })
	if len(details) == 0 {
		return claim
	}
	return claim + " (" + strings.Join(details, ", ") + ")"
}

func snapshotTold(v operation.Volume, at time.Time) string {
	switch {
	case v.SnapshotsUnknown && v.Snapshot == "":
		return "not known"
	case v.Snapshot == "":
		return "none"
	case v.SnapshotTime.IsZero():
		return partOf(v.Snapshot)
	}
	// A clock that is ahead of ours makes no snapshot from the future.
	return partOf(v.Snapshot) + ", " + duration.HumanDuration(max(at.Sub(v.SnapshotTime), 0)) + " ago"
}

func partOf(text string) string { return operation.Clip(operation.Printable(text), maxPart) }
