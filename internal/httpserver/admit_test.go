// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package httpserver

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gophernetes/bellhop/internal/httpserver/limits"
)

// podAt returns the n-th of many addresses that are no API server's.
func podAt(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 244, 1, byte(n)}) }

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// ask sends a request on an open connection, and returns the answer, and whether the connection is open after it.
func (f *fixture) ask(c net.Conn, request string) (answer string, isOpen bool) {
	f.t.Helper()
	go io.WriteString(c, request) //nolint:errcheck // the answer shows it
	answer, isOpen, _ = f.answer(c, time.Now())
	return answer, isOpen
}

// isOpen reports whether the server has left a connection open.
func isOpen(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(1))
	_, err := c.Read(make([]byte, 1))
	timeout, ok := err.(net.Error) //nolint:errorlint // it is never wrapped
	return ok && timeout.Timeout()
}

// F-P52: a connection is kept after a request whose handler knows the client, whatever it answers, and closed after every other answer.
func TestAnswersThatCloseTheConnection(t *testing.T) {
	for _, kind := range []Kind{Webhooks, Posts, Metrics, Probes} {
		for _, code := range []int{200, 400, 401, 403, 404, 405, 413, 500, 503} {
			for _, isKnown := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					f := newFixture(t, kind, func(w http.ResponseWriter, r *http.Request) {
						if isKnown {
							Admit(r.Context(), "team-a")
						}
						w.WriteHeader(code)
					})
					answer, isOpen, _ := f.send(aPod, post("/", 10, zeros(10)))
					if isOpen != isKnown || strings.TrimSpace(answer) != fmt.Sprint(code) {
						t.Errorf("%s, known: %t: %q, open: %t", kind.Name, isKnown, answer, isOpen)
					}
				})
			}
		}
	}
}

// F-P52: no request whose target is "*", or has no path that is served, keeps its connection, whatever answers it, and with each version of HTTP.
func TestRequestsThatReachNoHandler(t *testing.T) {
	for _, request := range []string{
		"GET * HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET * HTTP/1.1\r\nHost: x\r\n\r\n",
		"OPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET //served HTTP/1.1\r\nHost: x\r\n\r\n", "GET /other HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.HandleFunc("/served", func(_ http.ResponseWriter, r *http.Request) { Admit(r.Context(), "team-a") })
			f := newFixture(t, Posts, mux.ServeHTTP)
			c := f.dial(aPod)
			defer c.Close()
			answer, isOpen := f.ask(c, request)
			if isOpen || answer == "" || strings.HasPrefix(answer, "200 ") {
				t.Errorf("%q: %q, open: %t", request, answer, isOpen)
			}
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Errorf("%q: the connection sends more", request)
			}
		})
	}
}

// F-P52: a request of a connection says nothing about the next one.
func TestEachRequestIsAdmittedByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Posts, func(_ http.ResponseWriter, r *http.Request) {
			if user := r.Header.Get("User"); user != "" {
				Admit(r.Context(), user)
			}
		})
		c := f.dial(aPod)
		for _, user := range []string{"team-a", "team-b", "team-a", ""} {
			if _, isOpen := f.ask(c, "GET / HTTP/1.1\r\nHost: x\r\nUser: "+user+"\r\n\r\n"); isOpen != (user != "") {
				t.Errorf("%q: open is %t", user, isOpen)
			}
		}
	})
}

// F-P52: of the connections of a server one user keeps an eighth, from any number of addresses. The others are closed after their answer.
func TestAUserKeepsAnEighth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Posts, func(_ http.ResponseWriter, r *http.Request) { Admit(r.Context(), r.Header.Get("User")) })
		kept := map[string]int{}
		for n := range 200 {
			for _, user := range []string{"team-a", "team-b"} {
				c := f.dial(podAt(n % 50))
				defer c.Close()
				if answer, isOpen := f.ask(c, "GET / HTTP/1.1\r\nHost: x\r\nUser: "+user+"\r\n\r\n"); isOpen {
					kept[user]++
				} else if answer != "200 " {
					t.Fatalf("%q", answer)
				}
			}
		}
		if kept["team-a"] != 64 || kept["team-b"] != 64 {
			t.Errorf("kept: %v", kept)
		}
	})
}

// F-S59: 8 addresses take all 64 connections to the probes, with a request before or without one. The kubelet does not wait.
func TestProbesAreServedBesideAFullDoor(t *testing.T) {
	for _, asks := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, Probes, func(http.ResponseWriter, *http.Request) {})
			for n := range 8 * 8 {
				c := f.dial(podAt(n % 8))
				defer c.Close()
				if asks {
					f.ask(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
				}
			}
			if answer, isOpen, took := f.send(theAPIServer, strings.NewReader(get)); answer != "200 " || isOpen || took != 0 {
				t.Errorf("asked before: %t: the kubelet gets %q after %s, open: %t", asks, answer, took, isOpen)
			}
		})
	}
}

// F-P52: idle connections, of any number of users, keep no sender and no reader of metrics out: the one that is idle for longest is closed.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	for _, kind := range []Kind{Posts, Metrics} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, kind, func(_ http.ResponseWriter, r *http.Request) { Admit(r.Context(), r.RemoteAddr) })
			idle := make([]net.Conn, kind.Connections)
			for n := range idle {
				idle[n] = f.dial(podAt(n % 8))
				defer idle[n].Close()
				if _, isOpen := f.ask(idle[n], get); !isOpen {
					t.Fatalf("%s: connection %d is not kept", kind.Name, n)
				}
				time.Sleep(time.Millisecond)
			}
			if answer, _, took := f.send(aPod, strings.NewReader(get)); answer != "200 " || took > limits.MaxWait {
				t.Errorf("%s: a newcomer gets %q after %s", kind.Name, answer, took)
			}
			if isOpen(idle[0]) || !isOpen(idle[1]) {
				t.Errorf("%s: not the one that is idle for longest is closed", kind.Name)
			}
		})
	}
}

// F-S59: clients that are no API servers close no connection of one, however long it is idle.
func TestIdleConnectionsOfAPIServersAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kind := Webhooks
		kind.Connections = 64
		f := newFixture(t, kind, echoLength)
		idle := f.dial(theAPIServer)
		defer idle.Close()
		f.ask(idle, get)
		for n := range 2 * kind.Connections {
			c := f.dial(podAt(int(n % 100)))
			defer c.Close()
			go f.ask(c, get)
		}
		time.Sleep(time.Minute)
		if !isOpen(idle) {
			t.Error("the connection is closed")
		}
	})
}

// Connections that close each other as they are opened. It is for the race detector.
func TestConnectionsThatCloseEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Probes, func(http.ResponseWriter, *http.Request) {})
		var dialing sync.WaitGroup
		for n := range 500 {
			dialing.Go(func() {
				c := f.dial(podAt(n % 20))
				_, _ = c.Read(make([]byte, 1)) // until it is closed
				_ = c.Close()
			})
		}
		dialing.Wait()
	})
}
