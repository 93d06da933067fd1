// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/faults/proxy"
)

// disruption is what fails in a round.
type disruption struct {
	name string
	do   func(*session, context.Context, *rand.Rand) error
}

// disruptions are what can fail.
var disruptions = []disruption{
	{"nothing", func(*session, context.Context, *rand.Rand) error { return nil }},
	{"operator killed", (*session).killOperator},
	{"operator killed twice", func(s *session, ctx context.Context, r *rand.Rand) error {
		return errors.Join(s.killOperator(ctx, r), s.killOperator(ctx, r))
	}},
	{"broker broken", (*session).breakBroker},
	{"broker broken, operator killed", func(s *session, ctx context.Context, r *rand.Rand) error {
		return errors.Join(s.breakBroker(ctx, r), s.killOperator(ctx, r))
	}},
	{"receiver hangs", (*session).hangReceiver},
	{"API server restarted", func(s *session, ctx context.Context, _ *rand.Rand) error {
		return s.Cluster.ControlPlane.RestartAPIServer(context.WithoutCancel(ctx))
	}},
}

// killOperator kills the operator at a random time and starts another process.
func (s *session) killOperator(ctx context.Context, r *rand.Rand) error {
	proxy.Sleep(ctx, time.Duration(r.IntN(3000))*time.Millisecond)
	s.KillLeader()
	proxy.Sleep(ctx, time.Duration(r.IntN(2000))*time.Millisecond)
	return s.startLeader(context.WithoutCancel(ctx))
}

// breakBroker makes some operations of the broker fail for a while, carried out or not.
func (s *session) breakBroker(ctx context.Context, r *rand.Rand) error {
	lifted := make(chan struct{})
	hang := func(http.ResponseWriter, *http.Request, osbtest.Call) {
		<-lifted // the proxy does not pass on that the client has given up
		panic(http.ErrAbortHandler)
	}
	answers := []osbtest.Answer{osbtest.Status(500, `{"description":"oops"}`), osbtest.Drop, hang, osbtest.Status(502, "<html>Bad Gateway</html>")}
	operations := []osb.Operation{"", osb.ProvisionInstance, osb.DeprovisionInstance, osb.Bind, osb.Unbind, osb.UpdateInstance}
	lift := s.Env.Broker.Inject(osbtest.Fault{On: operations[r.IntN(len(operations))], Acts: r.IntN(2) == 0, Answer: answers[r.IntN(len(answers))]})
	proxy.Sleep(ctx, time.Duration(3+r.IntN(6))*time.Second)
	lift()
	close(lifted)
	return nil
}

// hangReceiver makes a receiver not answer for a while.
func (s *session) hangReceiver(ctx context.Context, r *rand.Rand) error {
	p := s.Env.Receivers[[]string{"hook", "desk", "boss"}[r.IntN(3)]]
	lifted := make(chan struct{})
	p.Inbox.Respond(func(*http.Request) (int, http.Header, string) {
		<-lifted
		return 0, nil, ""
	})
	proxy.Sleep(ctx, time.Duration(3+r.IntN(6))*time.Second)
	p.Inbox.Respond(p.CheckKey)
	close(lifted)
	return nil
}
