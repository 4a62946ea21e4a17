package conformance

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// measured are the API server's own metrics of what Mollyguard makes it do: a series'
// name, with the hook or policy where there is one, to its value.
type measured map[string]float64

// inside are histograms of the time that the API server spends, in seconds.
var inside = []string{
	"apiserver_admission_webhook_admission_duration_seconds",
	"apiserver_admission_match_condition_evaluation_seconds",
}

const hookCalls = "apiserver_admission_webhook_request_total"

// measure reads the metrics of whatever is called *.mollyguard.dev or mollyguard-*.
func (l *life) measure(ctx context.Context) (measured, error) {
	text, err := l.admin.clients.Discovery().RESTClient().Get().AbsPath("/metrics").Do(ctx).Raw()
	if err != nil {
		return nil, err
	}
	found := measured{}
	for line := range strings.Lines(string(text)) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), "} ")
		metric, labels, _ := strings.Cut(series, "{")
		name := strings.TrimSuffix(strings.TrimSuffix(metric, "_sum"), "_count")
		if !ok || !strings.Contains(labels, "mollyguard") || metric != hookCalls && (metric == name || !slices.Contains(inside, name)) {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("metric %s: %w", line, err)
		}
		if metric == hookCalls {
			_, rest, _ := strings.Cut(labels, `name="`)
			hook, _, _ := strings.Cut(rest, ".mollyguard.dev")
			metric += " " + hook
		}
		found[metric] += number
	}
	return found, nil
}

// since is what was measured after something before.
func (m measured) since(before measured) measured {
	rest := measured{}
	for name, value := range m {
		if value -= before[name]; value != 0 {
			rest[name] = value
		}
	}
	return rest
}

// calls are how often each hook was called.
func (m measured) calls() map[string]int {
	found := map[string]int{}
	for name, value := range m {
		if hook, ok := strings.CutPrefix(name, hookCalls+" "); ok {
			found[hook] = int(value)
		}
	}
	return found
}

func total(calls map[string]int) int {
	sum := 0
	for _, count := range calls {
		sum += count
	}
	return sum
}

// minimum is how many requests of a kind there must be to tell of their times.
const minimum = 20

// report says what the two lives took.
func report(without, with *lived) string {
	var b strings.Builder
	writes := 0
	for _, e := range with.requests {
		if isWrite(&e) {
			writes++
		}
	}
	hooks := with.measured.calls()
	calls := total(hooks)
	fmt.Fprintf(&b, "%d workloads, %d running pods in the end\n", with.workloads, with.pods)
	fmt.Fprintf(&b, "requests without Mollyguard: %d in %v; with it: %d in %v, and %d of its own\n",
		len(without.requests), without.took.Round(time.Second/10), len(with.requests), with.took.Round(time.Second/10), total(with.own))
	fmt.Fprintf(&b, "calls of its hooks: %d, which is %.2f %% of all requests and %.2f %% of writes\n",
		calls, percent(calls, len(with.requests)), percent(calls, writes))
	for _, hook := range slices.Sorted(maps.Keys(hooks)) {
		fmt.Fprintf(&b, "  %6d %s\n", hooks[hook], hook)
	}
	b.WriteString("by the API server's own clock:\n")
	for _, name := range inside {
		sum, count := with.measured[name+"_sum"], with.measured[name+"_count"]
		fmt.Fprintf(&b, "  %8.0f × %7.3f ms, %6.3f ms a write: %s\n", count, sum*1e3/max(count, 1), sum*1e3/float64(max(writes, 1)), name)
	}
	b.WriteString("its own requests:\n")
	for _, kind := range slices.Sorted(maps.Keys(with.own)) {
		fmt.Fprintf(&b, "  %6d %s\n", with.own[kind], kind)
	}
	b.WriteString("\ntime in the API server, ms; with Mollyguard, and of that what asked it\n")
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "request\tn\tmedian\tp99\tn\tmedian\tp99\tadded\tasked\tmedian\tp99\t")
	before, after := byKind(without.requests), byKind(with.requests)
	for _, kind := range slices.SortedFunc(maps.Keys(after), func(x, y string) int {
		return cmp.Or(cmp.Compare(len(after[y].all), len(after[x].all)), cmp.Compare(x, y))
	}) {
		a, z := before[kind], after[kind]
		if a == nil || len(z.all) < minimum && len(z.asked) == 0 {
			continue
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%d\t%s\t%s\t%+.2f\t%d\t%s\t%s\t\n", kind,
			len(a.all), ms(a.all, 0.5), ms(a.all, 0.99), len(z.all), ms(z.all, 0.5), ms(z.all, 0.99),
			(quantile(z.all, 0.5)-quantile(a.all, 0.5)).Seconds()*1e3,
			len(z.asked), ms(z.asked, 0.5), ms(z.asked, 0.99))
	}
	_ = table.Flush() // a strings.Builder takes everything
	return b.String()
}

func isWrite(e *auditv1.Event) bool { return e.Verb != "get" && e.Verb != "list" }

func percent(part, whole int) float64 { return 100 * float64(part) / float64(max(whole, 1)) }

// times are how long requests of one kind took; asked are those of them that
// Mollyguard was asked about.
type times struct{ all, asked []time.Duration }

func byKind(events []auditv1.Event) map[string]*times {
	kinds := map[string]*times{}
	for _, e := range events {
		names := []string{"all of " + e.Verb}
		if isWrite(&e) {
			names = append(names, kindOf(&e))
		}
		for _, name := range names {
			if kinds[name] == nil {
				kinds[name] = &times{}
			}
			kinds[name].all = append(kinds[name].all, took(&e))
			if decided(&e) {
				kinds[name].asked = append(kinds[name].asked, took(&e))
			}
		}
	}
	return kinds
}

func quantile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	list = slices.Sorted(slices.Values(list))
	return list[min(int(q*float64(len(list))), len(list)-1)]
}

func ms(list []time.Duration, q float64) string {
	if len(list) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", quantile(list, q).Seconds()*1e3)
}
