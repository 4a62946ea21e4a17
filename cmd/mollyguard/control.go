package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/ledger"
)

// A ledger's file is one process's. Who wants to look at dead letters while the server
// runs asks it over a socket beside the file, which the server's own user can open and
// nobody else: whoever may read the file may ask.

// controlPath is where that socket is.
func controlPath(c config.Configuration) string { return c.Ledger.Path + ".sock" }

// openControl listens there, and returns nil without a ledger. Who holds the ledger's
// lock is the only one: a socket that is there is left from a server that died.
// Anything else under that name is somebody's file.
func openControl(ctx context.Context, c config.Configuration) (net.Listener, error) {
	if c.Ledger.Path == "" || len(c.Alerts.Sinks) == 0 {
		return nil, nil
	}
	path := controlPath(c)
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("%s is there, and is not a socket: move it away, or change ledger.path", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove what an earlier server left: %w", err)
	}
	listener, err := (&net.ListenConfig{Control: ownersOnly}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen beside the ledger: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// controlServer answers what the commands about dead letters ask.
func controlServer(book *ledger.Ledger, h *house, log *slog.Logger) *http.Server {
	letters := deadLetters{ledger: book, wake: h.alerting.deliverer.Wake}
	if h.watching != nil {
		letters.rejudge = h.watching.watcher.Rejudge
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /dead", func(w http.ResponseWriter, r *http.Request) {
		list, err := letters.list(r.Context())
		answerJSON(w, list, err)
	})
	mux.HandleFunc("POST /dead/retry", func(w http.ResponseWriter, r *http.Request) {
		var ids []string
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRetry)).Decode(&ids); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		n, err := letters.retry(r.Context(), ids)
		answerJSON(w, n, err)
	})
	mux.HandleFunc("GET /entries/{decision}", func(w http.ResponseWriter, r *http.Request) {
		entry, err := auditlog.EntryOf(r.Context(), book, r.PathValue("decision"))
		answerJSON(w, json.RawMessage(entry), err)
	})
	return limitedServer(mux, nil, log)
}

// nobodyThere reports whether a socket has no server behind it.
func nobodyThere(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// maxRetry is how large a list of ids may be: ten thousand of them.
const maxRetry = 1 << 20

func answerJSON(w http.ResponseWriter, value any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// A caller that has gone away needs no answer.
	_ = json.NewEncoder(w).Encode(value)
}

// controlClient asks the server that runs beside a ledger.
func controlClient(c config.Configuration) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", controlPath(c))
	}}, Timeout: writeTimeout}
}
