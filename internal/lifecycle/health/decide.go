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

package health

import "time"

// Action is what has to be done about the Alert of an object.
type Action string

// The actions.
const (
	Keep    Action = "Keep"    // nothing
	Fire    Action = "Fire"    // create the Alert, or have it fire again
	Resolve Action = "Resolve" // resolve the Alert
)

// Inputs are what Decide decides from.
type Inputs struct {
	// Asks is whether the object has the label, and its Namespace consents.
	Asks   bool
	Ask    Ask
	Result Result
	// ResolveAfter is for how long an object has to be healthy, or to ask for nothing, before its Alert is resolved: what flaps makes one Alert.
	ResolveAfter time.Duration
	// IsFiring is whether an Alert about the object exists and is not resolved.
	IsFiring bool
	// SeenSince is since when the process has seen the present answer to "does the object ask, and fail?", for what its status does not say.
	SeenSince time.Time
}

// Calls reports whether an Alert should fire once the time has come.
func (in Inputs) Calls() bool { return in.Asks && in.Result.State == Failing }

// IsCalm reports whether an Alert should be resolved once the time has come.
func (in Inputs) IsCalm() bool { return !in.Asks || in.Result.State == Healthy }

// Decide returns what has to be done now, and when the object has to be looked at again if nothing changes; zero: never.
func Decide(in Inputs, now time.Time) (Action, time.Time) {
	switch {
	case in.Calls() && !in.IsFiring:
		since := in.Result.Since
		if since.IsZero() || since.After(in.SeenSince) { // a time in the future is a clock that is wrong
			since = in.SeenSince
		}
		if due := since.Add(in.Ask.After); now.Before(due) {
			return Keep, due
		}
		return Fire, time.Time{}
	case in.IsCalm() && in.IsFiring:
		if due := in.SeenSince.Add(in.ResolveAfter); now.Before(due) {
			return Keep, due
		}
		return Resolve, time.Time{}
	}
	return Keep, time.Time{}
}
