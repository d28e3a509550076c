// Runs jobs over HTTP, with nothing but the standard library.
//
//	HANDLER_SECRET=whsec_... go run examples/handlers/go/service.go [port]
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	tolerance    = 5 * time.Minute
	maxBodyBytes = 16 << 20
)

// delivery is the part of a request that this service looks at.
type delivery struct {
	Data struct {
		Args json.RawMessage `json:"args"`
	} `json:"data"`
}

type picture struct {
	Width  *int64 `json:"width"`
	Height *int64 `json:"height"`
}

type service struct {
	key []byte
}

// isOurs tells whether the request was signed with our secret, not long ago.
func (s service) isOurs(header http.Header, body []byte) bool {
	stamp := header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > tolerance {
		return false
	}
	mac := hmac.New(sha256.New, s.key)
	fmt.Fprintf(mac, "%s.%s.", header.Get("webhook-id"), stamp)
	mac.Write(body)
	ours := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	// There are two while the secret is being changed.
	for _, theirs := range strings.Fields(header.Get("webhook-signature")) {
		if hmac.Equal([]byte(ours), []byte(theirs)) {
			return true
		}
	}
	return false
}

// ServeHTTP runs one job; Idempotency-Key is the same for every attempt of it.
func (s service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Patterns such as "POST /handle" need Go 1.22, and a go.mod that says so.
	if r.Method != http.MethodPost {
		http.Error(w, "jobs are posted", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err != nil {
		return // whoever sent it has gone, or it is too large: tried again
	}
	if !s.isOurs(r.Header, body) {
		http.Error(w, "the signature is not ours", http.StatusUnauthorized)
		return
	}
	var job delivery
	var wanted picture
	if json.Unmarshal(body, &job) != nil || json.Unmarshal(job.Data.Args, &wanted) != nil ||
		wanted.Width == nil || wanted.Height == nil {
		// The same request can never succeed: the job is discarded.
		http.Error(w, "width and height must be whole numbers", http.StatusUnprocessableEntity)
		return
	}
	switch pixels := *wanted.Width * *wanted.Height; {
	case pixels == 0:
		// The header decides, whatever the status: nobody needs the job, and nothing went wrong.
		w.Header().Set("Job-Outcome", "cancel")
		fmt.Fprint(w, "there is nothing to resize")
	case pixels > 100_000_000:
		// Again in a minute, and the attempt does not count.
		w.Header().Set("Job-Outcome", "snooze")
		w.Header().Set("Retry-After", "60")
	case pixels > 50_000_000:
		// Again in half a minute, and the attempt counts.
		w.Header().Set("Retry-After", "30")
		http.Error(w, "no room for a picture of this size", http.StatusServiceUnavailable)
	default:
		resize(w, r, *wanted.Width, *wanted.Height)
	}
}

// resize tells how far the work is, and at last how it ended; a stream without a result is retried.
func resize(w http.ResponseWriter, r *http.Request, width, height int64) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	lines := json.NewEncoder(w)
	say := func(line map[string]any) {
		lines.Encode(line)
		w.(http.Flusher).Flush()
	}
	say(map[string]any{"t": "log", "level": "info", "msg": fmt.Sprintf("resizing to %d x %d", width, height)})
	for _, percent := range []int{25, 75} {
		select {
		case <-r.Context().Done():
			return // the job was cancelled, ran out of time, or its executor stops
		case <-time.After(10 * time.Millisecond):
		}
		say(map[string]any{"t": "progress", "pct": percent, "note": fmt.Sprintf("%d %%", percent)})
	}
	say(map[string]any{"t": "output", "data": map[string]any{"pixels": width * height}})
	say(map[string]any{"t": "result", "outcome": "complete"})
}

func main() {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("HANDLER_SECRET"), "whsec_"))
	if err != nil || len(key) == 0 {
		log.Fatal("HANDLER_SECRET: the secret that was shown when the handler was registered is needed")
	}
	port := "8080"
	if len(os.Args) > 1 {
		port = os.Args[1]
	}
	http.Handle("/handle", service{key})
	server := http.Server{Addr: "127.0.0.1:" + port, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
