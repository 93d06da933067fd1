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

package servicecatalog

import (
	"encoding/json"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/limiter"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// callMemory is what a process knows of a binding beyond its status. Without it some
// requests are made again.
type callMemory struct {
	// told are credentials that are not in the Secret yet.
	told  *told
	tried tried
	// triedRotation: credentials were asked for so, in vain.
	triedRotation bool
	// app and async: the broker wants to be asked so.
	app, async bool
}

// tried is how credentials were asked for under an id, in vain, since they were last had.
type tried struct {
	id            string
	fetch, repeat bool
	// made: the binding was just made, and its credentials were not asked for yet.
	made bool
}

// told are credentials as a broker told them, under an id.
type told struct {
	id string
	// binding has them; nil: they fit into no Secret.
	binding *osbresult.Binding
	// unfit: they do not go into the Secret as it is.
	unfit bool
}

// learn is what a process remembers of a binding after a call.
func (m callMemory) learn(b *v1beta1.ServiceBinding, call bindingCall, a bindingAnswer) callMemory {
	if m.tried.id != call.id && !call.removal && call.verb != unbind {
		m.tried = tried{id: call.id}
	}
	switch call.verb {
	case bind:
		m.learnBind(call, a)
	case fetch:
		m.learnFetch(b, call, a)
	case unbind:
		m.async = m.async || a.Class == osbresult.NeedsAsync
		m.triedRotation = m.triedRotation || m.told != nil && m.told.id == call.id // they fit into no Secret
	default:
		switch {
		case call.removal || a.Class != osbresult.Done:
		case a.state == osbresult.Succeeded:
			m.tried.made, m.tried.fetch = true, false
		case a.state == osbresult.Failed:
			m.tried.repeat = true
		}
	}
	return m
}

func (m *callMemory) learnBind(call bindingCall, a bindingAnswer) {
	refused := a.Class == osbresult.Rejected || a.Class == osbresult.Gone || a.Class == osbresult.Conflict || a.Class == osbresult.NeedsAsync
	switch {
	case a.Class == osbresult.NeedsApp:
		m.app = true
	case a.Class == osbresult.Done && a.binding.Credentials != nil:
		m.told = &told{id: call.id, binding: a.binding}
	case a.Class == osbresult.Done && !a.binding.Created && call.clean && call.owned && call.retrievable: // it may not be done, whatever it says
		m.tried.made = true
	case a.Class == osbresult.Done && (a.binding.Created || call.clean && call.owned): // a service without credentials
		m.told = &told{id: call.id, binding: withoutCredentials(a.binding)}
	case a.Class == osbresult.Done, refused && call.again:
		m.tried.repeat = true
	case refused && call.predecessor != "":
		m.triedRotation = true
	}
}

// manyFetches is how often a binding that was just made is fetched although the broker
// does not know it yet.
const manyFetches = 3

func (m *callMemory) learnFetch(b *v1beta1.ServiceBinding, call bindingCall, a bindingAnswer) {
	made := m.tried.made
	m.tried.made = made && (!a.Sent || a.Class == osbresult.Gone || a.Class == osbresult.Concurrency) // else they may have been told, and lost
	patient := made && (b.Status.Attempts == nil || b.Status.Attempts.Count < manyFetches)
	switch {
	case a.Class == osbresult.Done && a.binding.Credentials != nil:
		m.told = &told{id: call.id, binding: a.binding}
	case a.Class == osbresult.Done && made: // a service without credentials
		m.told = &told{id: call.id, binding: withoutCredentials(a.binding)}
	case a.Class == osbresult.Done, a.Class == osbresult.Rejected, a.Class == osbresult.Gone && !patient, a.Misconfigured() && misconfigured(b.Status.Attempts) >= limiter.QuickRetries:
		m.tried.fetch = true
	}
}

func withoutCredentials(b *osbresult.Binding) *osbresult.Binding {
	none := *b
	none.Credentials = json.RawMessage("{}")
	return &none
}
