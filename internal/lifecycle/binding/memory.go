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

package binding

import (
	"encoding/json"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/limiter"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// RequestMemory is what a process remembers of a binding's requests beyond the status. After a restart some requests are repeated.
type RequestMemory struct {
	// Received are credentials that are not in the Secret yet; nil: there are none.
	Received *Received
	recovery recovery
	// triedRotation: a rotation has not brought credentials.
	triedRotation bool
	// NeedsApp and async: the broker requires an application, or accepts_incomplete.
	NeedsApp, NeedsAsync bool
}

// recovery is which ways to get the credentials of an id have failed.
type recovery struct {
	id            string
	fetch, repeat bool
	// made: the binding was just created, and its credentials were not fetched yet.
	made bool
}

// Received are credentials as a broker returned them for an id.
type Received struct {
	BindingID string
	// Binding has them; nil: no Secret can hold them.
	Binding *osbresult.Binding
	// DoesNotFit: the present Secret cannot hold them.
	DoesNotFit bool
}

// ObserveAnswer returns what a process remembers of a binding after an answer.
func (m RequestMemory) ObserveAnswer(b *v1beta1.ServiceBinding, call Request, a Answer) RequestMemory {
	if m.recovery.id != call.BindingID && !call.Removal && call.Operation != lifecycle.Unbind {
		m.recovery = recovery{id: call.BindingID}
	}
	switch call.Operation {
	case lifecycle.Bind:
		m.observeBind(call, a)
	case lifecycle.Fetch:
		m.observeFetch(b, call, a)
	case lifecycle.Unbind:
		m.NeedsAsync = m.NeedsAsync || a.Class == osbresult.NeedsAsync
		m.triedRotation = m.triedRotation || m.Received != nil && m.Received.BindingID == call.BindingID // no Secret can hold them
	default:
		switch {
		case call.Removal || a.Class != osbresult.Done:
		case a.State == osbresult.Succeeded:
			m.recovery.made, m.recovery.fetch = true, false
		case a.State == osbresult.Failed:
			m.recovery.repeat = true
		}
	}
	return m
}

func (m *RequestMemory) observeBind(call Request, a Answer) {
	refused := a.Class == osbresult.Rejected || a.Class == osbresult.Gone || a.Class == osbresult.Conflict || a.Class == osbresult.NeedsAsync
	switch {
	case a.Class == osbresult.NeedsApp:
		m.NeedsApp = true
	case a.Class == osbresult.Done && a.Binding.Credentials != nil:
		m.Received = &Received{BindingID: call.BindingID, Binding: a.Binding}
	case a.Class == osbresult.Done && !a.Binding.Created && call.NothingAtBroker && call.Owned && call.retrievable: // the broker may not have finished
		m.recovery.made = true
	case a.Class == osbresult.Done && (a.Binding.Created || call.NothingAtBroker && call.Owned): // a service without credentials
		m.Received = &Received{BindingID: call.BindingID, Binding: withoutCredentials(a.Binding)}
	case a.Class == osbresult.Done, refused && call.Repeat:
		m.recovery.repeat = true
	case refused && call.PredecessorID != "":
		m.triedRotation = true
	}
}

// manyFetches is how often a binding that was just created is fetched while the broker does not know it.
const manyFetches = 3

func (m *RequestMemory) observeFetch(b *v1beta1.ServiceBinding, call Request, a Answer) {
	made := m.recovery.made
	m.recovery.made = made && (!a.Sent || a.Class == osbresult.Gone || a.Class == osbresult.Concurrency) // otherwise the credentials may have been lost with an answer
	patient := made && (b.Status.Attempts == nil || b.Status.Attempts.Count < manyFetches)
	switch {
	case a.Class == osbresult.Done && a.Binding.Credentials != nil:
		m.Received = &Received{BindingID: call.BindingID, Binding: a.Binding}
	case a.Class == osbresult.Done && made: // a service without credentials
		m.Received = &Received{BindingID: call.BindingID, Binding: withoutCredentials(a.Binding)}
	case a.Class == osbresult.Done, a.Class == osbresult.Rejected, a.Class == osbresult.Gone && !patient, a.Misconfigured() && lifecycle.MisconfiguredAnswers(b.Status.Attempts) >= limiter.QuickRetries:
		m.recovery.fetch = true
	}
}

func withoutCredentials(b *osbresult.Binding) *osbresult.Binding {
	none := *b
	none.Credentials = json.RawMessage("{}")
	return &none
}
