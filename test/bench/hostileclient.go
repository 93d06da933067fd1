// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// A hostileClient posts to an AlertSource whose token it has, and with wrong tokens.
type hostileClient struct {
	target         *sender
	groups         []byte // the body of a post of as many alerts as there may be; each mark is to be replaced
	huge, deep     []byte
	posts, refused atomic.Int64
}

// groupMark is the part of the names of groups that differs in each post.
const groupMark = "MARK-OF-THE-POST"

func newHostileClient(target *sender) *hostileClient {
	alerts := make([]firing, hostileGroups)
	now := time.Now()
	for i := range alerts {
		alerts[i] = firing{Labels: map[string]string{"alertname": groupMark + objectName(i)}, StartsAt: now, EndsAt: now.Add(time.Hour)}
	}
	groups, err := bodyOf(alerts)
	if err != nil {
		panic(err) // it is of strings and times
	}
	deep := `[{"labels":{"alertname":"Deep"},"annotations":{"a":` + strings.Repeat(`[`, hostileDepth) + strings.Repeat(`]`, hostileDepth) + `}}]`
	return &hostileClient{target: target, groups: groups, huge: bytes.Repeat([]byte(" "), tooLarge), deep: []byte(deep)}
}

// run posts until the context ends, and returns how many posts there were, and how many of those with a right token did not succeed. It calls ready
// once its idle connections are open, and all the others post.
func (h *hostileClient) run(ctx context.Context, ready func()) (posts, refused int) {
	h.posts.Store(0)
	h.refused.Store(0)
	idle := make([]*sender, hostileIdle)
	_, _ = runBurst(ctx, hostileIdle, 8, func(ctx context.Context, i int) error {
		idle[i-1] = h.newSender()
		h.post(ctx, idle[i-1], "", []byte("[]")) // it is refused, and the connection stays
		return nil
	})
	var running sync.WaitGroup
	every := func(rate float64, do func(*sender)) {
		running.Go(func() { h.repeat(ctx, time.Duration(float64(time.Second)/rate), do) })
	}
	for range hostileFloods {
		every(hostileGroupsRate/hostileFloods, func(s *sender) { h.post(ctx, s, token, h.newGroups()) })
	}
	every(hostileHeavyRate, func(s *sender) { h.postHuge(ctx, s) })
	every(hostileHeavyRate, func(s *sender) { h.post(ctx, s, token, h.deep) })
	every(hostileLightRate/2, func(s *sender) { h.post(ctx, s, rand.Text(), []byte("[]")) })
	every(hostileLightRate/2, func(s *sender) { h.post(ctx, s, forgedToken(), []byte("[]")) })
	for range hostileSlow {
		every(1, func(s *sender) { h.postSlowly(ctx, s) })
	}
	ready()
	running.Wait()
	for _, s := range idle {
		if s != nil { // the context ended before
			s.close()
		}
	}
	return int(h.posts.Load()), int(h.refused.Load())
}

// newSender returns a sender that has a connection of its own.
func (h *hostileClient) newSender() *sender {
	return newSender(h.target.address, h.target.namespace, token)
}

// repeat calls a function at once, and at an interval, with a sender that has a connection of its own.
func (h *hostileClient) repeat(ctx context.Context, interval time.Duration, do func(*sender)) {
	s := h.newSender()
	defer s.close()
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	for ctx.Err() == nil {
		do(s)
		select {
		case <-ticks.C:
		case <-ctx.Done():
		}
	}
}

// flood posts groups from as many connections as the AlertSource may have requests, until each post has succeeded.
func (h *hostileClient) flood(ctx context.Context) error {
	var group errgroup.Group
	for range 4 {
		group.Go(func() error {
			body := h.newGroups()
			return pollUntil(ctx, func(ctx context.Context) (bool, error) {
				code, _, err := h.target.post(ctx, body)
				return code == http.StatusOK, err
			})
		})
	}
	return group.Wait()
}

// newGroups returns the body of a post of groups that were not posted before.
func (h *hostileClient) newGroups() []byte {
	return bytes.ReplaceAll(h.groups, []byte(groupMark), []byte(rand.Text()[:16]))
}

// postHuge posts a body that is too large without its length, so that the operator has to read it.
func (h *hostileClient) postHuge(ctx context.Context, s *sender) {
	h.count(token, func() (int, error) { return s.send(ctx, token, bytes.NewReader(h.huge), -1) })
}

// post posts a body, and counts the answer.
func (h *hostileClient) post(ctx context.Context, s *sender, credential string, body []byte) {
	h.count(credential, func() (int, error) { return s.send(ctx, credential, bytes.NewReader(body), int64(len(body))) })
}

// postSlowly posts a body of which a byte comes each 100 milliseconds.
func (h *hostileClient) postSlowly(ctx context.Context, s *sender) {
	slow := readerFunc(func(p []byte) (int, error) {
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return 0, io.ErrUnexpectedEOF
		}
		return copy(p[:1], " "), nil
	})
	h.count(token, func() (int, error) { return s.send(ctx, token, slow, tooLarge-1) })
}

func (h *hostileClient) count(credential string, send func() (int, error)) {
	code, err := send()
	h.posts.Add(1)
	if credential == token && (err != nil || code != http.StatusOK) {
		h.refused.Add(1)
	}
}

// readerFunc is an io.Reader.
type readerFunc func(p []byte) (int, error)

// Read implements io.Reader.
func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// forgedToken returns a token that has the form of one of a ServiceAccount.
func forgedToken() string {
	encode := base64.RawURLEncoding.EncodeToString
	header := encode([]byte(`{"alg":"RS256","kid":"` + rand.Text() + `"}`))
	claims := encode([]byte(`{"iss":"https://kubernetes.default.svc.cluster.local","aud":["bellhop"],"sub":"system:serviceaccount:shop:` + rand.Text() + `"}`))
	return header + "." + claims + "." + encode(bytes.Repeat([]byte("x"), 256))
}
