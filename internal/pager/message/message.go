// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package message makes the messages that providers send about an Alert.
package message

import (
	"fmt"
	"slices"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/pager/sourcerules"
)

// maxTitle is the schema's limit of a title, in characters. The schema of v1alpha1 does not see the annotation that is the title there,
// and the webhook that does may be ignored.
const maxTitle = 256

// Of returns the message of a request about an Alert to the receiver of a row. The request began at a time of the API server.
func Of(a *v1beta1.Alert, row v1beta1.Delivery, r alertrules.Request, began time.Time) notify.Message {
	title, _ := notify.Cut(a.Spec.Title, maxTitle, func(rune) int { return 1 })
	m := notify.Message{
		Event:        r.Event,
		UID:          string(a.UID),
		Namespace:    a.Namespace,
		Name:         a.Name,
		RawTitle:     title,
		RawContent:   a.Spec.Content,
		RawInstances: instancesOf(a),
		Severity:     notify.Severity(a.Spec.Severity),
		Receiver:     fmt.Sprintf("%s/%s", row.Kind, row.Name),
		Time:         began,
		AttemptTime:  began,
		Quiet:        r.Quiet,
		Continues:    r.Continues,
		BelowMinimum: notify.Severity(r.BelowMinimum),
	}
	for _, link := range a.Spec.Links {
		m.RawLinks = append(m.RawLinks, notify.Link{Text: link.Text, Href: link.Href})
	}
	switch {
	case r.Event == result.Fired && r.Sequence == 1:
		m.Time = a.CreationTimestamp.Time
	case r.Attempt > 1 && row.FirstAttemptTime != nil: // a repeat is the same message
		m.Time = row.FirstAttemptTime.Time
	}
	return m
}

// Repost returns the message that a receiver holds, for a receiver that forgets it otherwise. last is true for the last repost: the Alert goes away,
// and the problem that it is about continues.
func Repost(a *v1beta1.Alert, row v1beta1.Delivery, last bool, now time.Time) (notify.Message, notify.Key) {
	held := alertrules.Request{Event: result.Fired, Hash: row.LastAttemptedHash, Sequence: row.Sequence, Attempt: row.Attempts}
	m := Of(a, row, held, now)
	if row.Sequence > 1 && row.FirstAttemptTime != nil {
		m.Time = row.FirstAttemptTime.Time
	}
	m.Last = last
	return m, KeyOf(a, row, held)
}

// KeyOf returns the key that identifies the message of a request at its receiver.
func KeyOf(a *v1beta1.Alert, row v1beta1.Delivery, r alertrules.Request) notify.Key {
	ref := alertrules.RefOf(row)
	return notify.Key{
		Delivery:   alertrules.DeliveryKey(a, ref, r.Sequence, r.Hash),
		Incident:   alertrules.IncidentKey(a, ref),
		ExternalID: row.ExternalID,
		Partial:    r.Partial,
	}
}

// instancesOf returns the instances that the content of an Alert has: those that wait have not joined it.
func instancesOf(a *v1beta1.Alert) (instances []notify.Instance) {
	joined := slices.DeleteFunc(slices.Clone(a.Spec.Instances), func(i v1beta1.AlertInstance) bool { return i.Waiting })
	lines := sourcerules.Lines(joined)
	for n, i := range joined {
		instance := notify.Instance{Key: i.Key, Text: lines[n]}
		if i.StartsAt != nil {
			instance.StartsAt = i.StartsAt.Time
		}
		if i.EndsAt != nil {
			instance.EndsAt = i.EndsAt.Time
		}
		instances = append(instances, instance)
	}
	return instances
}
