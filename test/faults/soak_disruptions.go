/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

// A trouble is what goes wrong in a round.
type trouble struct {
	name string
	do   func(*soak, context.Context, *rand.Rand) error
}

var troubles = []trouble{
	{"nothing", func(*soak, context.Context, *rand.Rand) error { return nil }},
	{"operator killed", (*soak).crash},
	{"operator killed twice", func(s *soak, ctx context.Context, r *rand.Rand) error {
		return errors.Join(s.crash(ctx, r), s.crash(ctx, r))
	}},
	{"broker broken", (*soak).breakBroker},
	{"broker broken, operator killed", func(s *soak, ctx context.Context, r *rand.Rand) error {
		return errors.Join(s.breakBroker(ctx, r), s.crash(ctx, r))
	}},
	{"receiver hangs", (*soak).hangReceiver},
	{"API server restarted", func(s *soak, ctx context.Context, _ *rand.Rand) error {
		return s.lab.cluster.RestartAPIServer(context.WithoutCancel(ctx))
	}},
}

// crash is kill -9 in the middle of something, and another process.
func (s *soak) crash(ctx context.Context, r *rand.Rand) error {
	wait(ctx, time.Duration(r.IntN(3000))*time.Millisecond)
	s.killLeader()
	wait(ctx, time.Duration(r.IntN(2000))*time.Millisecond)
	return s.startLeader(context.WithoutCancel(ctx))
}

// breakBroker has some operations go wrong for a while, carried out or not.
func (s *soak) breakBroker(ctx context.Context, r *rand.Rand) error {
	lifted := make(chan struct{})
	hang := func(http.ResponseWriter, *http.Request, osbtest.Call) {
		<-lifted // the seam does not say when who asks has given up
		panic(http.ErrAbortHandler)
	}
	answers := []osbtest.Answer{osbtest.Status(500, `{"description":"oops"}`), osbtest.Drop, hang, osbtest.Status(502, "<html>Bad Gateway</html>")}
	operations := []osb.Operation{"", osb.ProvisionInstance, osb.DeprovisionInstance, osb.Bind, osb.Unbind, osb.UpdateInstance}
	lift := s.world.broker.Inject(osbtest.Fault{On: operations[r.IntN(len(operations))], Acts: r.IntN(2) == 0, Answer: answers[r.IntN(len(answers))]})
	wait(ctx, time.Duration(3+r.IntN(6))*time.Second)
	lift()
	close(lifted)
	return nil
}

// hangReceiver has one not answer for a while.
func (s *soak) hangReceiver(ctx context.Context, r *rand.Rand) error {
	p := s.world.addressees[[]string{"hook", "desk", "boss"}[r.IntN(3)]]
	lifted := make(chan struct{})
	p.inbox.Respond(func(*http.Request) (int, http.Header, string) {
		<-lifted
		return 0, nil, ""
	})
	wait(ctx, time.Duration(3+r.IntN(6))*time.Second)
	p.inbox.Respond(p.recognise)
	close(lifted)
	return nil
}
