package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// concurrencies are how many reviews are under way at once.
var concurrencies = []int{1, 8, 32}

const (
	// turn is how long a server is called before the next one is.
	turn = 250 * time.Millisecond
	// warmUp is how long each server is called with each review before anything
	// counts: connections, pools, heap size.
	warmUp = 500 * time.Millisecond
	// warmConcurrency is how many reviews are under way meanwhile.
	warmConcurrency = 8
	// requestTimeout is longer than the API server would wait.
	requestTimeout = 30 * time.Second
	// maxResponse is far more than any of the servers answers.
	maxResponse = 64 << 10
)

// cell is what was measured of all servers with one review at one concurrency,
// by server: one sample for each round.
type cell struct {
	review      review
	concurrency int
	samples     map[string][]sample
}

// sample is what was measured of one server in one round.
type sample struct {
	latencies []time.Duration // sorted
	cpu       time.Duration
}

func (s sample) cpuPerReview() float64 { return float64(s.cpu) / float64(len(s.latencies)) }

func (s sample) percentile(p int) float64 {
	return float64(s.latencies[(len(s.latencies)-1)*p/100])
}

func measureAll(ctx context.Context, o options, servers map[string]*server, reviews []review) ([]*cell, error) {
	for _, r := range reviews {
		for _, name := range serverNames {
			if _, err := measure(ctx, servers[name], r, warmConcurrency, min(warmUp, o.duration)); err != nil {
				return nil, err
			}
		}
	}
	var cells []*cell
	for _, r := range reviews {
		for _, concurrency := range concurrencies {
			cells = append(cells, &cell{r, concurrency, map[string][]sample{}})
		}
	}
	for range o.rounds {
		for _, c := range cells {
			if err := c.round(ctx, servers, o.duration); err != nil {
				return nil, err
			}
		}
	}
	return cells, nil
}

// round adds one sample of each server. They take turns, and who begins changes.
func (c *cell) round(ctx context.Context, servers map[string]*server, duration time.Duration) error {
	order := slices.Clone(serverNames)
	sums := map[string]*sample{}
	for left := duration; left > 0; left -= turn {
		for _, name := range order {
			s, err := measure(ctx, servers[name], c.review, c.concurrency, min(turn, left))
			if err != nil {
				return err
			}
			if sums[name] == nil {
				sums[name] = &sample{}
			}
			sums[name].cpu += s.cpu
			sums[name].latencies = append(sums[name].latencies, s.latencies...)
		}
		order = append(order[1:], order[0])
	}
	for name, sum := range sums {
		slices.Sort(sum.latencies)
		c.samples[name] = append(c.samples[name], *sum)
	}
	return nil
}

// measure calls a server for a while, with as many reviews at once as concurrency
// says. Each answer is checked: an error is cheap, and must not count.
func measure(ctx context.Context, s *server, r review, concurrency int, duration time.Duration) (sample, error) {
	before, err := cpuTime(s.command.Process.Pid)
	if err != nil {
		return sample{}, err
	}
	latencies := make([][]time.Duration, concurrency)
	deadline := time.Now().Add(duration)
	group, ctx := errgroup.WithContext(ctx)
	for worker := range concurrency {
		group.Go(func() error {
			var err error
			latencies[worker], err = call(ctx, s, r, worker, deadline)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return sample{}, fmt.Errorf("call %s with %q: %w", s.name, r.name, err)
	}
	after, err := cpuTime(s.command.Process.Pid)
	if err != nil {
		return sample{}, err
	}
	return sample{latencies: slices.Concat(latencies...), cpu: after - before}, s.afterTurn()
}

// call sends one review after another until the deadline, at least one.
func call(ctx context.Context, s *server, r review, worker int, deadline time.Time) ([]time.Duration, error) {
	body := bytes.Clone(r.body) // no two requests have the same uid
	uid, err := uidOf(body)
	if err != nil {
		return nil, err
	}
	wanted := [][]byte{uid, []byte(`"allowed":true`)}
	if r.denied && s.name == mollyguard {
		wanted = [][]byte{uid, []byte(`"allowed":false`), []byte(`refused\n`)}
	}
	var answer bytes.Buffer
	var latencies []time.Duration
	for number := 0; number == 0 || time.Now().Before(deadline); number++ {
		copy(uid[uidLength-12:], fmt.Appendf(nil, "%02x%010x", worker, number))
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Accept", "application/json, */*")
		request.Header.Set("User-Agent", "kube-apiserver-admission")
		start := time.Now()
		response, err := s.client.Do(request)
		if err != nil {
			return nil, err
		}
		answer.Reset()
		_, err = io.Copy(&answer, io.LimitReader(response.Body, maxResponse))
		latencies = append(latencies, time.Since(start))
		if err := errors.Join(err, response.Body.Close()); err != nil {
			return nil, err
		}
		if response.ProtoMajor != 2 {
			return nil, fmt.Errorf("answered with %s", response.Proto)
		}
		for _, text := range wanted {
			if !bytes.Contains(answer.Bytes(), text) {
				return nil, fmt.Errorf("expected %q in the answer %s: %s", text, response.Status, answer.Bytes())
			}
		}
	}
	return latencies, nil
}
