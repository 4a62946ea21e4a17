// Command bench measures what Mollyguard costs. One admission review, beside two
// references in the same run:
//
//	bare        reads the body, decodes only the uid with encoding/json, allows
//	no-op       a controller-runtime webhook that allows everything
//	mollyguard  the program itself, as it is shipped, with its default policies
//
// Each is a process of its own, so that its CPU time is its own, with the same
// certificate and the same server settings. They are called over TLS and HTTP/2,
// as the API server calls a URL, and take turns of a fraction of a second, so that
// whatever else the machine does hits all three alike:
//
//	reviews ─► load ─┬─► bare ─────────┐
//	                 ├─► no-op ────────┼─► CPU time, latency ─► table, budgets
//	                 └─► mollyguard ───┘
//
// And it measures the watcher of the audit log, as a process of its own too, which
// reads entries of the same kinds from a file and from a Pub/Sub in memory, beside what
// decoding them with encoding/json costs:
//
//	         ┌─► file ────┐                  ┌─► ledger, decision log
//	entries ─┼─► Pub/Sub ─┴─► mollyguard ────┴─► HTTP sink ─► CPU time, latency
//	         └─► encoding/json, Cares, Map ───────────────► CPU time
//
// And it measures the index of what is in a cluster: alone, beside a map of the same
// objects' metadata, and in the program, with an API server that has a cluster in memory:
//
//	objects ─┬─► index, metadata map ─────────► bytes, CPU time, lookups
//	         └─► API server ─► mollyguard ────► memory, CPU time
//
// The mollyguard that is called with reviews knows such a cluster as well.
//
// And it measures the judging of Terraform plans, in files, beside the same decoded with
// encoding/json:
//
//	plans ─┬─► mollyguard plan check ─┬─► time, memory
//	       └─► encoding/json ─────────┘
//
// What counts are ratios within one run; microseconds tell about the machine. The
// exit code says whether something could be measured, not how it turned out.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// Limits of a run. With the most of both the reviews take 3 servers × 9 cells × 20 ×
// 30 s, which is four and a half hours, and the audit log another hour.
const (
	maxDuration = 30 * time.Second
	maxRounds   = 20
)

type options struct {
	// duration is how long each server is called in each cell of each round.
	duration time.Duration
	rounds   int
	output   string
	// mollyguard is the program to measure; empty means to build it.
	mollyguard string
	// serve makes this process one of the references; see serve.go.
	serve, certificate, key string
	// decode makes this process the reference for a plan, which is in that file.
	decode string
	// only leaves the rest out: empty, reviewsOnly, auditOnly, indexOnly or plansOnly.
	only string
	// objects is the size of the cluster, resources that of the largest plan.
	objects, resources int
}

// measures reports whether a part is measured.
func (o options) measures(part string) bool { return o.only == "" || o.only == part }

// The values of -only.
const (
	reviewsOnly = "reviews"
	auditOnly   = "audit"
	indexOnly   = "index"
	plansOnly   = "plans"
)

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err == nil && o.serve != "":
		err = serveReference(o, stderr)
	case err == nil && o.decode != "":
		err = decodePlan(o.decode)
	case err == nil:
		err = bench(ctx, o, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench: error: %v\n", err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.DurationVar(&o.duration, "duration", 2*time.Second, "how long to call each server, per review, concurrency and round")
	flags.IntVar(&o.rounds, "rounds", 3, "how often to repeat; the median is reported")
	flags.StringVar(&o.output, "o", "table", "output: table or json")
	flags.StringVar(&o.mollyguard, "mollyguard", "", "`program` to measure (default: build the one of this module)")
	flags.StringVar(&o.only, "only", "", "measure only reviews, only audit: the watcher of the audit log, only index: of what is in a cluster, or only plans: of Terraform")
	flags.IntVar(&o.objects, "objects", usualObjects, "how many objects the cluster has; the index alone is measured with a tenth and ten times as many as well")
	flags.IntVar(&o.resources, "resources", usualResources, "how many resources the largest Terraform plan has; one with a tenth and one with 100 are measured as well")
	flags.StringVar(&o.serve, "serve", "", "internal: be this reference server")
	flags.StringVar(&o.certificate, "certificate", "", "internal: its certificate")
	flags.StringVar(&o.key, "key", "", "internal: its key")
	flags.StringVar(&o.decode, "decode", "", "internal: be the reference for this plan")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.duration <= 0 || o.duration > maxDuration:
		return o, fmt.Errorf("-duration: %v is not between 0 and %v", o.duration, maxDuration)
	case o.rounds < 1 || o.rounds > maxRounds:
		return o, fmt.Errorf("-rounds: %d is not between 1 and %d", o.rounds, maxRounds)
	case !slices.Contains([]string{"", reviewsOnly, auditOnly, indexOnly, plansOnly}, o.only):
		return o, fmt.Errorf("-only: %q is none of %s, %s, %s and %s", o.only, reviewsOnly, auditOnly, indexOnly, plansOnly)
	case o.objects < 0 || o.objects > maxObjects:
		return o, fmt.Errorf("-objects: %d is not between 0 and %d", o.objects, maxObjects)
	case o.resources < minResources || o.resources > maxResources:
		return o, fmt.Errorf("-resources: %d is not between %d and %d", o.resources, minResources, maxResources)
	case o.output != "table" && o.output != "json":
		return o, fmt.Errorf("-o: %q is neither table nor json", o.output)
	}
	return o, nil
}

func bench(ctx context.Context, o options, stdout, stderr io.Writer) error {
	dir, err := os.MkdirTemp("", "mollyguard-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program, err := programOf(ctx, o, dir)
	if err != nil {
		return err
	}
	// Turns end a little late, with their last requests; twice the time is far more
	// than that.
	planned := o.planned()
	fmt.Fprintf(stderr, "bench: about %v\n", planned.Round(time.Second))
	ctx, cancel := context.WithTimeout(ctx, 2*planned+time.Minute)
	defer cancel()

	report := report{
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Duration: o.duration.String(), Rounds: o.rounds,
	}
	if o.measures(reviewsOnly) {
		if err := benchReviews(ctx, o, program, dir, &report); err != nil {
			return err
		}
	}
	if o.measures(auditOnly) {
		if report.Audit, err = benchAudit(ctx, o, program, dir); err != nil {
			return fmt.Errorf("audit log: %w", err)
		}
	}
	if o.measures(indexOnly) {
		if report.Index, err = benchIndex(ctx, o, program, dir); err != nil {
			return fmt.Errorf("index: %w", err)
		}
	}
	if o.measures(plansOnly) {
		if report.Plans, err = benchPlans(ctx, o, program, dir); err != nil {
			return fmt.Errorf("plans: %w", err)
		}
	}
	if o.output == "json" {
		return report.writeJSON(stdout)
	}
	return report.writeTable(stdout)
}

func benchReviews(ctx context.Context, o options, program, dir string, report *report) (err error) {
	c, err := newCertificate(dir)
	if err != nil {
		return err
	}
	kubeconfig := ""
	if o.objects > 0 {
		cluster, err := startCluster(o.objects, c)
		if err != nil {
			return err
		}
		defer cluster.stop()
		if kubeconfig, err = cluster.kubeconfig(dir, c); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, cluster.err()) }()
	}
	servers, err := startAll(ctx, program, dir, kubeconfig, c)
	defer stopAll(servers)
	if err != nil {
		return err
	}
	guard := servers[mollyguard]
	if o.objects > 0 {
		if _, err := (&process{command: guard.command, output: guard.output, metrics: guard.metrics}).await(ctx, syncedMetric, 1); err != nil {
			return err
		}
	}
	reviews, err := reviews(ctx)
	if err != nil {
		return err
	}
	cells, err := measureAll(ctx, o, servers, reviews)
	if err != nil {
		return err
	}
	resident, err := residentBytes(guard.command.Process.Pid)
	if err != nil {
		return err
	}
	report.addReviews(cells, o.objects, resident)
	return nil
}

// planned is how long it takes.
func (o options) planned() (d time.Duration) {
	if o.measures(reviewsOnly) {
		const reviews = 3
		d += 5*time.Second + time.Duration(len(serverNames)*reviews*len(concurrencies)*o.rounds)*o.duration
	}
	if o.measures(auditOnly) {
		// Each round has twelve turns, that take about half of -duration each, and the file
		// is looked at once a second.
		d += 5*time.Second + latencyTurns*o.duration + time.Duration(o.rounds)*(6*o.duration+3*time.Second)
	}
	if o.measures(indexOnly) { // most of it grows with the objects, and is about 1.3 ms for each
		d += 2*settleTurns*o.duration + 10*time.Second + time.Duration(o.objects)*1300*time.Microsecond
	}
	if o.measures(plansOnly) {
		d += 10*time.Second + time.Duration(o.rounds*o.resources)*planPerResource
	}
	return d
}
