// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package alertmanager has the formats of alerts that Prometheus and programs like it post: the API of Alertmanager, POST /api/v2/alerts,
// and the webhook of Alertmanager, version 4, which Grafana sends as version 1 with more fields. It knows no Kubernetes.
//
// A body is decoded alert by alert: of an invalid alert the position is reported with a sentence, and the others are returned, since a sender does
// not repeat a post that is answered with 400. The result is bounded for any body.
package alertmanager

import "time"

// The bounds of a post, beside the size of its body, which the listener bounds. A sender within the limits of Prometheus and Alertmanager
// does not reach them.
const (
	// MaxAlerts is how many alerts of a post are read. Prometheus posts at most 256 at once, and a webhook has a whole group.
	MaxAlerts = 5000
	// maxPairs is how many labels, and how many annotations, an alert has. Rules of kube-prometheus have less than 20.
	maxPairs = 64
	// maxName is the length of a label's name, in bytes: twice Mimir's default limit.
	maxName = 2048
	// maxValue is the length of a label's value, in bytes: twice Mimir's default limit.
	maxValue = 4096
	// maxAnnotation is how many bytes of the value of an annotation are kept: people read fewer.
	maxAnnotation = 4096
	// maxURL is the length of a URL, in bytes, as links of Alerts have it. A longer one is left out.
	maxURL = 2048
	// maxReceiver is the length of the name of a receiver of Alertmanager, in bytes.
	maxReceiver = 4096
	// maxWrong is how many alerts that are wrong are reported one by one.
	maxWrong = 100
	// maxShown is how many bytes of a value an error repeats.
	maxShown = 64
)

// State is the state of an alert or of a group, by a webhook's own word.
type State string

// The states.
const (
	Firing   State = "firing"
	Resolved State = "resolved"
)

// Alert is an alert of a post.
type Alert struct {
	// Labels identify the alert. None has an empty value.
	Labels      map[string]string
	Annotations map[string]string
	// StartsAt and EndsAt are zero where the post does not say them.
	StartsAt, EndsAt time.Time
	// State is set by a webhook. It is empty in the API, where EndsAt decides.
	State State
	// GeneratorURL, SilenceURL and DashboardURL are as they were posted; the last two are Grafana's.
	GeneratorURL, SilenceURL, DashboardURL string
}

// Post is the content of a body.
type Post struct {
	// Alerts are the valid ones.
	Alerts []Alert
	// Wrong has the first of the others, in the order of their positions, and, where alerts were not read, one more problem for them.
	Wrong []Problem
	// Group is set for a webhook, whose alerts are a group of Alertmanager; nil: the API, whose alerts are not grouped.
	Group *Group
}

// Problem is the reason for which an alert is invalid.
type Problem struct {
	// Index is the position of the alert, from 0.
	Index int
	// Message is a sentence without the position. It names the field, the value and valid values.
	Message string
}

// Group is the group of a webhook.
type Group struct {
	// Key identifies the group within its Alertmanager: it has the route and the labels. An edit of Alertmanager's configuration may change
	// it. Empty: the sender does not say it.
	Key string
	// ExternalURL is the URL of the Alertmanager.
	ExternalURL string
	// Receiver is the name of the receiver in Alertmanager, with the special characters of regular expressions escaped.
	Receiver string
	// Labels are the labels by which Alertmanager groups.
	Labels map[string]string
	// State is resolved once every alert of the group is.
	State State
	// Unlisted is how many more alerts the group has: those that the sender cut off, that are wrong, or that are more than MaxAlerts.
	Unlisted int
}

// IsWhole reports whether the webhook lists each alert of the group.
func (g *Group) IsWhole() bool { return g.Unlisted == 0 }
