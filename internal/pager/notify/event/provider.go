// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

// Provider describes Kubernetes Events to the registry. Their sender needs the API server's client, see New.
var Provider = notify.Provider[v1beta1.EventProvider]{
	Modes: []notify.Mode{{
		Repeat:  notify.Once + ", as long as Kubernetes keeps Events, by default an hour",
		Key:     "the name of the Event",
		Update:  notify.OwnMessage,
		Resolve: notify.OwnMessage,
		Links:   notify.Lines,
		Sent:    "the Event exists; it notifies no person",
	}},
}
