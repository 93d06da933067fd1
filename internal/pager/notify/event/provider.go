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
