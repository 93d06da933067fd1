// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"cmp"
	"slices"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// Fixture is a receiver of one provider in one mode, with a fake of the service. The file of each fake registers its fixtures.
// Tests of all providers use them.
type Fixture struct {
	// Provider is the provider's field in a receiver's spec, and Mode the name of its notify.Mode.
	Provider string
	Mode     string
	// Replicas is the number of services that the receiver has; 0: one.
	Replicas int
	// NewService returns a fake that requires the secret.
	NewService func(secret string) Service
	// Receiver returns the settings of a receiver whose services have these URLs, and the data of its Secret with the secret as
	// the credential.
	Receiver func(secret string, urls ...string) (settings v1beta1.Provider, data map[string]string)
}

// FixtureSecret has a form that every provider accepts as a credential: 32 letters and digits.
const FixtureSecret = "0123456789abcdef0123456789ABCDEF"

var fixtures []Fixture

func register(f Fixture) { fixtures = append(fixtures, f) }

// Fixtures returns the fixtures of all providers with an HTTP API, in the order of their names.
func Fixtures() []Fixture {
	return slices.SortedFunc(slices.Values(fixtures), func(a, b Fixture) int { return cmp.Compare(a.Name(), b.Name()) })
}

// Name returns the provider and the mode, as the tables of docs/reference/receivers.md have them.
func (f Fixture) Name() string {
	if f.Mode == "" {
		return f.Provider
	}
	return f.Provider + ", " + f.Mode
}
