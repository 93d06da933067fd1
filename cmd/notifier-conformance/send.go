// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/grpcnotifier"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// maxWait bounds the wait before a repeat, which the operator doubles up to 10 minutes.
const maxWait = 10 * time.Second

// sending is a message that is sent as the operator sends it: by its own code, and with the same key until the server has it.
type sending struct {
	config   grpcnotifier.Config
	client   *outbound.Client
	event    string
	incident string
	title    string
	content  string
	firstGap time.Duration // before the first repeat
}

// send sends the message, and prints each attempt. An error is one after which the operator would not repeat the message soon.
func (s sending) send(ctx context.Context, out io.Writer) error {
	event := result.Event(s.event)
	if event != result.Fired && event != result.Updated && event != result.Resolved {
		return errors.New("-send must be Fired, Updated or Resolved")
	}
	sender, err := grpcnotifier.New(s.config, s.client)
	if err != nil {
		return err
	}
	defer sender.Close()
	m := notify.Message{
		Event: event, UID: "7d444840-9dc0-11d1-b245-5ffdce74fad2", Namespace: "conformance", Name: s.incident, RawTitle: s.title, RawContent: s.content,
		Severity: notify.Warning, Time: time.Now(),
	}
	key := notify.Key{Delivery: rand.Text(), Incident: s.incident}
	gap := s.firstGap
	for attempt := 1; ; attempt++ {
		receipt, err := sender.Send(ctx, m, key)
		if err == nil {
			fmt.Fprintf(out, "attempt %d: Sent, externalID %q: %s\n", attempt, receipt.ExternalID, receipt.Note)
			return nil
		}
		failure, _ := errors.AsType[*result.Error](err) // all errors of a sender are
		fmt.Fprintf(out, "attempt %d: %s, %s: %s\n", attempt, failure.Class, failure.Reason, failure.Message)
		if failure.Class == result.Configuration {
			return errors.New("the operator would send it again at long intervals, or as soon as the receiver changes")
		}
		if failure.Class == result.Permanent || failure.Class == result.Unconfirmed && attempt == result.MaxUnconfirmed {
			return errors.New("the operator would not send it again")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(max(gap, failure.RetryAfter)):
		}
		gap = min(2*gap, maxWait)
	}
}
