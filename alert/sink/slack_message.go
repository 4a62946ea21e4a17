package sink

import (
	"fmt"
	"strings"

	"github.com/mollyguard/mollyguard/alert"
	"github.com/mollyguard/mollyguard/operation"
)

const (
	// maxSlackText is how long the text of a section may be, in characters; bytes are
	// counted, which are no fewer
	// (https://docs.slack.dev/reference/block-kit/composition-objects/text-object).
	maxSlackText = 3000
	// maxSlackHeader is how long a header may be, in characters, counted the same
	// (https://docs.slack.dev/reference/block-kit/blocks/header-block).
	maxSlackHeader = 150
	// maxSlackBlocks is how many sections of rows a message has: 50 blocks are Slack's
	// limit, four go to the rest, and nobody reads a tenth.
	maxSlackSections = 10
)

// slackMessage is the body of chat.postMessage, chat.update and a webhook.
type slackMessage struct {
	Channel   string `json:"channel,omitzero"`
	TS        string `json:"ts,omitzero"`
	ThreadTS  string `json:"thread_ts,omitzero"`
	Broadcast bool   `json:"reply_broadcast,omitzero"`
	// Text is what notifications show.
	Text        string       `json:"text"`
	Markdown    bool         `json:"mrkdwn"`
	UnfurlLinks bool         `json:"unfurl_links"`
	UnfurlMedia bool         `json:"unfurl_media"`
	Blocks      []slackBlock `json:"blocks"`
}

type slackBlock struct {
	Type     string      `json:"type"`
	Text     *slackText  `json:"text,omitempty"`
	Elements []slackText `json:"elements,omitempty"`
}

// slackText is plain_text, or mrkdwn.
type slackText struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Emoji    *bool  `json:"emoji,omitempty"`
	Verbatim bool   `json:"verbatim,omitzero"`
}

// plain is a text in which nothing is formatting.
func plain(text string, limit int) *slackText {
	return &slackText{Type: "plain_text", Text: operation.Clip(text, limit), Emoji: new(false)}
}

// formatted is a text in mrkdwn in which names are not looked for.
func formatted(text string) slackText { return slackText{Type: "mrkdwn", Text: text, Verbatim: true} }

// escaped is a text that begins no mention and no link
// (https://docs.slack.dev/messaging/formatting-message-text#escaping).
func escaped(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// code shows a text from outside: in code nothing is formatting but what ends it.
func code(text string) string { return "`" + strings.ReplaceAll(escaped(text), "`", "'") + "`" }

func wholeMessage(a alert.Alert) slackMessage {
	head := headline(a)
	blocks := []slackBlock{{Type: "header", Text: plain(head, maxSlackHeader)}}
	if len(head) > maxSlackHeader {
		blocks = append(blocks, slackBlock{Type: "section", Text: plain(head, maxSlackText)})
	}
	blocks = append(blocks, sections(rows(a))...)
	if lines := next(a); len(lines) > 0 {
		blocks = append(blocks, slackBlock{Type: "section", Text: plain("Next: "+strings.Join(lines, "\n"), maxSlackText)})
	}
	return slackMessage{Text: escaped(head), Blocks: append(blocks, footer(a))}
}

// shortMessage says that there is more of what was told already, and stands for itself.
func shortMessage(a alert.Alert) slackMessage {
	said := fmt.Sprintf("Update %d: %s", a.Revision, headline(a))
	blocks := []slackBlock{{Type: "section", Text: plain(said, maxSlackText)}}
	if a.Count > 1 {
		blocks = append(blocks, slackBlock{Type: "section", Text: plain(fmt.Sprintf("%d operations until now", a.Count), maxSlackText)})
	}
	return slackMessage{Text: escaped(said), Blocks: append(blocks, footer(a))}
}

// sections fill as few blocks as the rows fit into.
func sections(rows []row) []slackBlock {
	var blocks []slackBlock
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 && len(blocks) < maxSlackSections {
			blocks = append(blocks, slackBlock{Type: "section", Text: new(formatted(b.String()))})
		}
		b.Reset()
	}
	for _, r := range rows {
		for i, line := range r.lines {
			said := slackLine(first(i, r.label), line)
			if b.Len()+len(said)+1 > maxSlackText {
				flush()
			}
			if b.Len() > 0 {
				b.WriteString("\n")
			}
			b.WriteString(said)
		}
	}
	flush()
	return blocks
}

// slackLine is below maxSlackText: maxLine bytes, of which each becomes five at most.
func slackLine(label, line string) string {
	line = code(strings.TrimSpace(line))
	if label == "" {
		return line
	}
	return "*" + label + "*  " + line
}

// first shows a label once for the lines below it.
func first(i int, label string) string {
	if i > 0 {
		return ""
	}
	return label
}

// footer has links, and what to search for.
func footer(a alert.Alert) slackBlock {
	var parts []slackText
	link := func(to, name string) {
		if said := "<" + escaped(to) + "|" + name + ">"; to != "" && len(said) <= maxSlackText {
			parts = append(parts, formatted(said))
		}
	}
	link(firstOf(links(a, 1)), "log entry")
	link(webURL(a.Runbook), "runbook")
	said := fmt.Sprintf("incident %s, revision %d, of %s", code(operation.Clip(shown(a.ID), maxSlackHeader)), a.Revision, code(operation.Clip(shown(a.Cluster), maxSlackHeader)))
	return slackBlock{Type: "context", Elements: append(parts, formatted(said))}
}
