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

// callMemory is what a process remembers of a binding's requests beyond the status. After a restart some requests are repeated.
type callMemory struct {
	// told are credentials that are not in the Secret yet; nil: there are none.
	told  *told
	tried tried
	// triedRotation: a rotation has not brought credentials.
	triedRotation bool
	// app and async: the broker requires an application, or accepts_incomplete.
	app, async bool
}

// tried is which ways to get the credentials of an id have failed.
type tried struct {
	id            string
	fetch, repeat bool
	// made: the binding was just created, and its credentials were not fetched yet.
	made bool
}

// told are credentials as a broker returned them for an id.
type told struct {
	id string
	// binding has them; nil: no Secret can hold them.
	binding *osbresult.Binding
	// unfit: the present Secret cannot hold them.
	unfit bool
}

// learn returns what a process remembers of a binding after an answer.
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
		m.triedRotation = m.triedRotation || m.told != nil && m.told.id == call.id // no Secret can hold them
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
	case a.Class == osbresult.Done && !a.binding.Created && call.clean && call.owned && call.retrievable: // the broker may not have finished
		m.tried.made = true
	case a.Class == osbresult.Done && (a.binding.Created || call.clean && call.owned): // a service without credentials
		m.told = &told{id: call.id, binding: withoutCredentials(a.binding)}
	case a.Class == osbresult.Done, refused && call.again:
		m.tried.repeat = true
	case refused && call.predecessor != "":
		m.triedRotation = true
	}
}

// manyFetches is how often a binding that was just created is fetched while the broker does not know it.
const manyFetches = 3

func (m *callMemory) learnFetch(b *v1beta1.ServiceBinding, call bindingCall, a bindingAnswer) {
	made := m.tried.made
	m.tried.made = made && (!a.Sent || a.Class == osbresult.Gone || a.Class == osbresult.Concurrency) // otherwise the credentials may have been lost with an answer
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
