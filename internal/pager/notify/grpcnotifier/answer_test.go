// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package grpcnotifier

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	notifierv1 "github.com/gophernetes/bellhop/proto/bellhop/notifier/v1"
)

// answer is what a server, or a proxy in its place, answers to a call.
type answer struct {
	status  int // 0: 200
	header  []string
	body    []byte
	trailer []string
	hangs   bool // after the body
}

// of returns the answer of a server of gRPC. A trailer is a name and a value, in turn.
func of(body []byte, trailer ...string) answer {
	return answer{header: []string{"Content-Type", "application/grpc"}, body: body, trailer: trailer}
}

// page returns the answer of a proxy.
func page(status int, header ...string) answer {
	return answer{status: status, header: append(header, "Content-Type", "text/html"), body: []byte("<html>canary")}
}

func (a answer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for i := 0; i < len(a.header); i += 2 {
		w.Header().Set(a.header[i], a.header[i+1])
	}
	w.WriteHeader(cmp.Or(a.status, http.StatusOK))
	_, _ = w.Write(a.body)
	for i := 0; i < len(a.trailer); i += 2 {
		w.Header().Set(http.TrailerPrefix+a.trailer[i], a.trailer[i+1])
	}
	if a.hangs {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

// message returns a message of gRPC.
func message(flags byte, data []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flags}, uint32(len(data))), data...)
}

func zipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// F-P51, F-B22: an answer that is not the one of the interface is classified as that of any other receiver, whatever the library makes of
// it. Each has a server of its own, which gives no other answer.
func TestForeignAnswers(t *testing.T) {
	response, err := proto.Marshal(&notifierv1.NotifyResponse{ExternalId: "7"})
	if err != nil {
		t.Fatal(err)
	}
	one := message(0, response)
	endless := func(message []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			for {
				if _, err := w.Write(message); err != nil {
					return
				}
			}
		}
	}
	unconfirmed := func(says string) result.Error {
		return result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: says}
	}
	const undocumented = "HTTP 200 OK, but the answer is not in the form that this receiver's API documents"
	redirected := func(says string) result.Error {
		return result.Error{Class: result.Configuration, Reason: result.ReasonRedirected, Message: says}
	}
	down := func(reason, says string, wait time.Duration) result.Error {
		return result.Error{Class: result.Unknown, Reason: reason, RetryAfter: wait, Message: says}
	}
	misconfigured := func(reason, says string) result.Error {
		return result.Error{Class: result.Configuration, Reason: reason, Message: says}
	}
	ofProbe := map[result.Class]result.Class{result.Unknown: result.Temporary, result.Unconfirmed: result.Configuration} // it has no effect
	for _, c := range []struct {
		why    string
		answer http.Handler
		want   result.Error
	}{
		{"OK without a message", of(nil, "Grpc-Status", "0"), unconfirmed(undocumented)},
		{"OK in the header, without a message", answer{header: []string{"Content-Type", "application/grpc", "Grpc-Status", "0"}}, unconfirmed(undocumented)},
		{"two messages", of(append(one, one...), "Grpc-Status", "0"), unconfirmed(undocumented)},
		{"half a message", of(one[:6], "Grpc-Status", "0"), unconfirmed(undocumented)},
		{"a message of another form", of(message(0, []byte("\xff\xff")), "Grpc-Status", "0"), unconfirmed(undocumented)},
		{"a message with other flags", of(message(0x80, response), "Grpc-Status", "0"), unconfirmed(undocumented)},
		{"gzip that was not asked for", answer{
			header: []string{"Content-Type", "application/grpc", "Grpc-Encoding", "gzip"}, body: message(1, zipped(t, response)), trailer: []string{"Grpc-Status", "0"},
		}, unconfirmed(undocumented)},
		{"gzip without its name", of(message(1, zipped(t, response)), "Grpc-Status", "0"), unconfirmed(undocumented)},
		{"a message of 1 MiB", of(message(0, make([]byte, 1<<20)), "Grpc-Status", "0"), unconfirmed(undocumented)},
		{"endless empty messages", endless(message(0, nil)), unconfirmed(undocumented)},
		{"endless messages", endless(one), unconfirmed(undocumented)},
		{"an endless message", endless([]byte("\x00\xff\xff\xff\xff")), unconfirmed(undocumented)},
		{"a message, and no end", answer{header: []string{"Content-Type", "application/grpc"}, body: one, hangs: true},
			unconfirmed("HTTP 200 OK, but no complete answer within the time limit")},
		{"a message, and no status", of(one), unconfirmed(undocumented)},
		{"a status that is none", of(one, "Grpc-Status", "fine"), unconfirmed(undocumented)},
		{"another encoding of messages", answer{header: []string{"Content-Type", "application/grpc+json"}, body: message(0, []byte("{}")), trailer: []string{"Grpc-Status", "0"}},
			unconfirmed(undocumented)},
		{"200 with HTML", page(200), unconfirmed(undocumented + ": a web page")},
		{"200 with nothing", answer{}, unconfirmed(undocumented + ": it is empty")},
		{"200 with JSON", answer{header: []string{"Content-Type", "application/json"}, body: []byte(`{"up":1}`)}, unconfirmed(undocumented + `: {"up":1}`)},
		{"204", answer{status: 204}, unconfirmed("HTTP 204 No Content, but the answer is not in the form that this receiver's API documents: it is empty")},

		{"moved", page(301, "Location", "https://canary.example.com/"), redirected("HTTP 301 Moved Permanently")},
		{"found", page(302, "Location", "https://canary.example.com/"), redirected("HTTP 302 Found")},
		{"a temporary redirect", page(307, "Location", "https://canary.example.com/"), redirected("HTTP 307 Temporary Redirect")},
		{"a permanent redirect", page(308, "Location", "https://canary.example.com/"), redirected("HTTP 308 Permanent Redirect")},

		{"a bad gateway", page(502), down(result.ReasonServerError, "HTTP 502 Bad Gateway", 0)},
		{"maintenance", page(503, "Retry-After", "9"), down(result.ReasonServerError, "HTTP 503 Service Unavailable", 9*time.Second)},
		{"a gateway's time limit", page(504), down(result.ReasonTimeout, "HTTP 504 Gateway Timeout", 0)},
		{"an error", page(500), down(result.ReasonServerError, "HTTP 500 Internal Server Error", 0)},
		{"a rate limit", page(429, "Retry-After", "7"),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: 7 * time.Second, Message: "HTTP 429 Too Many Requests"}},
		{"too large for a proxy", page(413), misconfigured(result.ReasonRejected, "HTTP 413 Request Entity Too Large")},
		{"a proxy's credential", page(401), misconfigured(result.ReasonUnauthorized, "HTTP 401 Unauthorized")},
		{"F-P44 a firewall", page(403), misconfigured(result.ReasonForbidden, "HTTP 403 Forbidden")},
		{"no route", page(404), misconfigured(result.ReasonNotFound, "HTTP 404 Not Found")},
		{"a status of gRPC behind one of HTTP", answer{status: 503, header: []string{"Content-Type", "application/grpc", "Grpc-Status", "16"}},
			down(result.ReasonServerError, "HTTP 503 Service Unavailable", 0)},

		{"a mesh without an upstream", answer{header: []string{"Content-Type", "application/grpc", "Grpc-Status", "14", "Grpc-Message", "no healthy upstream"}},
			down(result.ReasonServerError, "gRPC UNAVAILABLE: no healthy upstream", 0)},
		{"a message and an error", of(one, "Grpc-Status", "13", "Grpc-Message", "later"), down(result.ReasonServerError, "gRPC INTERNAL: later", 0)},
		{"F-P44 an error with a text that is not encoded", of(nil, "Grpc-Status", "7", "Grpc-Message", "100% full"),
			misconfigured(result.ReasonForbidden, "gRPC PERMISSION_DENIED")},
		{"an error with details that are none", of(nil, "Grpc-Status", "3", "Grpc-Message", "no", "Grpc-Status-Details-Bin", "!"),
			misconfigured(result.ReasonRejected, "gRPC INVALID_ARGUMENT")},
	} {
		t.Run(c.why, func(t *testing.T) {
			n := start(t, func(http.Handler) http.Handler { return c.answer })
			s := newSender(t, Config{Address: n.address(), Token: token}, n.client(t, time.Second))
			_, err := send(t, s)
			notifytest.WantError(t, "a message", err, c.want)
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v", err)
			}
			probe := c.want
			if class, is := ofProbe[probe.Class]; is {
				probe.Class = class
			}
			err = s.Probe(t.Context())
			if own, ok := errors.AsType[*result.Error](err); !ok || own.Class != probe.Class || own.Reason != probe.Reason || !strings.HasPrefix(own.Message, probe.Message) {
				t.Errorf("a probe: got %v, want %+v", err, probe)
			}
		})
	}
}
