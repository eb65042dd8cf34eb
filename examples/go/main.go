// Prices from a Tickgate gateway, one line per tick:
//
//	go run . ws://127.0.0.1:8080/v1/stream SIM:S0000 'SIM:S001*'
package main

import (
	"errors"
	"fmt"
	"math/rand"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"
	"unicode"

	"github.com/gorilla/websocket"
)

const (
	helloTime    = 10 * time.Second       // from the start of an attempt to the gateway's hello
	firstWait    = 500 * time.Millisecond // the longest wait after a first failure
	longestWait  = 30 * time.Second       // and after many
	longestRetry = 5 * time.Minute        // the longest retryAfter that is accepted
	lasting      = 10 * time.Second       // a connection of this length resets the wait
)

// Close codes after which reconnecting does not help.
var final = []int{1009, 4400, 4401, 4403}

func main() {
	if len(os.Args) < 3 {
		stop(2, "usage: go run . URL SYMBOL…")
	}
	address := os.Args[1]
	if u, err := url.Parse(address); err != nil || (u.Scheme != "ws" && u.Scheme != "wss") || u.Host == "" {
		stop(2, address+" is no address of a gateway, such as ws://127.0.0.1:8080/v1/stream")
	}
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt)
	go func() { <-interrupt; os.Exit(0) }()
	random := rand.New(rand.NewSource(time.Now().UnixNano()))
	longest := firstWait
	for {
		s := session{symbols: os.Args[2:], byHandle: map[int]*quote{}, bySymbol: map[string]*quote{}, retryAfter: -1}
		err := s.run(address)
		if websocket.IsCloseError(err, final...) {
			stop(1, "the gateway refuses: "+reason(err))
		}
		what := "no connection"
		if s.heartbeat > 0 {
			what = "connection lost, all prices are stale"
			if time.Since(s.greetedAt) >= lasting {
				longest = firstWait
			}
		}
		wait := s.retryAfter // the gateway already spreads it
		if wait < 0 {
			wait = longest/2 + time.Duration(random.Int63n(int64(longest/2)))
			if longest *= 2; longest > longestWait {
				longest = longestWait
			}
		}
		say("%s: %s; trying again in %.1f s", what, reason(err), wait.Seconds())
		time.Sleep(wait)
	}
}

// reason is why a connection was lost, or not made.
func reason(err error) string {
	var closed *websocket.CloseError
	if !errors.As(err, &closed) {
		return err.Error()
	} else if closed.Code == websocket.CloseAbnormalClosure { // the connection ended without a close frame
		return "the connection was cut"
	}
	return fmt.Sprintf("%s (%d)", closed.Text, closed.Code)
}

func stop(code int, why string) {
	fmt.Fprintln(os.Stderr, printable(why))
	os.Exit(code)
}

func say(format string, values ...any) { fmt.Println(printable(fmt.Sprintf(format, values...))) }

// printable replaces control and invisible characters, which texts from the gateway may contain.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, text)
}
