package fault

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The API server counts calls by hook, kind of hook and operation.
var (
	callCount = regexp.MustCompile(`^apiserver_admission_webhook_admission_duration_seconds_count\{(.*)\} (\S+)$`)
	hookName  = regexp.MustCompile(`name="([^"]*mollyguard\.dev)"`)
)

// calls is how often the API server has called each hook of Mollyguard's until now.
func (w *world) calls(t *testing.T) map[string]int {
	t.Helper()
	ctx, cancel := within(t, 0)
	defer cancel()
	text, err := w.admin.clients.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	for line := range strings.Lines(string(text)) {
		fields := callCount.FindStringSubmatch(strings.TrimSpace(line))
		if fields == nil {
			continue
		}
		name := hookName.FindStringSubmatch(fields[1])
		if name == nil {
			continue
		}
		n, err := strconv.Atoi(fields[2])
		if err != nil {
			t.Fatal(fmt.Errorf("%s: %w", line, err))
		}
		calls[name[1]] += n
	}
	if len(calls) == 0 {
		t.Fatal("the API server counts no calls: that it made none proves nothing")
	}
	return calls
}
