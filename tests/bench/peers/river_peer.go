// River, with the settings of its own benchmark; finished jobs are kept.
//
// One program is driver and worker, as driver.py says. It is built by whoever wants River measured, with River's modules
// (go build -o PROGRAM river_peer.go), and named by the environment variable RIVERRUN_BENCH_RIVER_GO.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

const (
	slots          = 2_000
	fetchEvery     = 2 * time.Millisecond
	pollEvery      = 20 * time.Millisecond
	flushEvery     = 5 * time.Millisecond
	stopTimeout    = 10 * time.Second
	clockMonotonic = 1 // on Linux
)

type noopArgs struct {
	N    int   `json:"n"`
	Sent int64 `json:"sent,omitempty"`
}

func (noopArgs) Kind() string { return "noop" }

type noopWorker struct {
	river.WorkerDefaults[noopArgs]
	report *report
}

func (w *noopWorker) Work(_ context.Context, job *river.Job[noopArgs]) error {
	w.report.handled(job.Args.Sent)
	return nil
}

// report tells the harness what the handlers of this process have seen, at most every 5 ms.
type report struct {
	mu     sync.Mutex
	count  int
	waits  []float64
	first  int64
	cpu    float64
	memory int64
}

func newReport() (*report, error) {
	told, err := net.Dial("udp", "127.0.0.1:"+os.Getenv("BENCH_REPORT"))
	if err != nil {
		return nil, err
	}
	r := &report{waits: []float64{}}
	go r.run(told)
	return r, nil
}

func (r *report) handled(sent int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count == 0 {
		r.first, r.cpu, r.memory = monotonic(), processTime(), resident()
	}
	r.count++
	if sent != 0 {
		r.waits = append(r.waits, float64(monotonic()-sent)/1e6)
	}
}

func (r *report) run(told net.Conn) {
	last := 0
	for range time.Tick(flushEvery) {
		r.mu.Lock()
		count, waits := r.count, r.waits
		r.waits = []float64{}
		r.mu.Unlock()
		if count == last {
			continue
		}
		last = count
		message, err := json.Marshal(map[string]any{
			"pid": os.Getpid(), "handled": count, "waits": waits,
			"first": r.first, "cpu_at_first": r.cpu, "rss_at_first": r.memory,
			"cpu": processTime(), "rss": resident(),
		})
		if err == nil {
			_, _ = told.Write(message)
		}
	}
}

func main() {
	run := drive
	if len(os.Args) > 1 && os.Args[1] == "work" {
		run = work
	}
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// work runs jobs until the driver closes our stdin.
func work(ctx context.Context) error {
	pool, err := pgxpool.New(ctx, os.Getenv("BENCH_DSN"))
	if err != nil {
		return err
	}
	told, err := newReport()
	if err != nil {
		return err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &noopWorker{report: told})
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		FetchCooldown:     fetchEvery,
		FetchPollInterval: pollEvery,
		Logger:            slog.New(slog.NewTextHandler(io.Discard, nil)),
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: slots}},
		Workers:           workers,
	})
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	stopping, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	return client.StopAndCancel(stopping)
}

type command struct {
	Do        string `json:"do"`
	Jobs      int    `json:"jobs"`
	Processes int    `json:"processes"`
}

type driver struct {
	pool    *pgxpool.Pool
	client  *river.Client[pgx.Tx]
	workers []*worker
}

type worker struct {
	process *exec.Cmd
	stdin   io.Closer
}

func drive(ctx context.Context) error {
	pool, err := pgxpool.New(ctx, os.Getenv("BENCH_DSN"))
	if err != nil {
		return err
	}
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{})
	if err != nil {
		return err
	}
	d := &driver{pool: pool, client: client}
	defer d.stop()
	commands, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var given command
		if err := commands.Decode(&given); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		answer, err := d.obey(ctx, given)
		if err != nil {
			return err
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
}

func (d *driver) obey(ctx context.Context, given command) (any, error) {
	nothing := struct{}{}
	switch given.Do {
	case "setup":
		return d.setup(ctx)
	case "enqueue_bulk":
		return timed(func() error { return d.bulk(ctx, given.Jobs) })
	case "enqueue_single":
		return timed(func() error {
			for number := range given.Jobs {
				if _, err := d.client.Insert(ctx, noopArgs{N: number}, nil); err != nil {
					return err
				}
			}
			return nil
		})
	case "work":
		return nothing, d.start(given.Processes)
	case "latency":
		pauses := rand.New(rand.NewSource(1))
		for number := range given.Jobs {
			time.Sleep(20*time.Millisecond + time.Duration(pauses.Int63n(int64(30*time.Millisecond))))
			if _, err := d.client.Insert(ctx, noopArgs{N: number, Sent: monotonic()}, nil); err != nil {
				return nil, err
			}
		}
		return nothing, nil
	}
	return nil, fmt.Errorf("unknown command %q", given.Do)
}

func (d *driver) setup(ctx context.Context) (any, error) {
	migrator, err := rivermigrate.New(riverpgxv5.New(d.pool), nil)
	if err != nil {
		return nil, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, err
	}
	return map[string]string{
		"version":       version(),
		"configuration": "2,000 workers, 2 ms between fetches, finished jobs kept; InsertManyFast for bulk",
		"unfinished":    "SELECT EXISTS (SELECT FROM river_job WHERE finalized_at IS NULL)",
	}, nil
}

func (d *driver) bulk(ctx context.Context, jobs int) error {
	many := make([]river.InsertManyParams, jobs)
	for number := range many {
		many[number] = river.InsertManyParams{Args: noopArgs{N: number}}
	}
	_, err := d.client.InsertManyFast(ctx, many)
	return err
}

func (d *driver) start(processes int) error {
	for range processes {
		process := exec.Command(os.Args[0], "work")
		process.Stderr = os.Stderr
		stdin, err := process.StdinPipe()
		if err != nil {
			return err
		}
		stdout, err := process.StdoutPipe()
		if err != nil {
			return err
		}
		if err := process.Start(); err != nil {
			return err
		}
		d.workers = append(d.workers, &worker{process, stdin})
		if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "ready\n" {
			return fmt.Errorf("a worker ended before it was ready: %w", err)
		}
	}
	return nil
}

// stop ends the workers, by force when they do not listen.
func (d *driver) stop() {
	for _, started := range d.workers {
		_ = started.stdin.Close()
	}
	for _, started := range d.workers {
		force := time.AfterFunc(stopTimeout, func() { _ = started.process.Process.Kill() })
		_ = started.process.Wait()
		force.Stop()
	}
}

func timed(run func() error) (any, error) {
	started := time.Now()
	err := run()
	return map[string]float64{"seconds": time.Since(started).Seconds()}, err
}

// version is that of the module in the program, or what its builder says where modules are not recorded.
func version() string {
	if built, ok := debug.ReadBuildInfo(); ok {
		for _, module := range built.Deps {
			if module.Path == "github.com/riverqueue/river" {
				return strings.TrimPrefix(module.Version, "v")
			}
		}
	}
	if said := os.Getenv("RIVERRUN_BENCH_RIVER_VERSION"); said != "" {
		return said
	}
	return "unknown"
}

// monotonic is the clock that all processes of a host share, in nanoseconds, as Python's time.monotonic_ns.
func monotonic() int64 {
	var now syscall.Timespec
	_, _, _ = syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

// processTime is the processor time of this process in seconds.
func processTime() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

// resident is how many bytes of this process are in memory now.
func resident() int64 {
	said, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(said), &size, &pages); err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
