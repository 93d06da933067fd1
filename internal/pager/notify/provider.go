// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
)

// Provider is the description of a provider in the registry, internal/pager/providers. S is the type of its settings: a member of the
// union v1beta1.Provider.
type Provider[S any] struct {
	// Addresses returns the addresses in the settings; nil: the address is the provider's own, or in the Secret.
	Addresses func(*S) []Address
	// Check returns the problems of the settings that no Secret corrects; nil: all settings that the schema admits are valid. New makes no sender of
	// settings with problems.
	Check func(*S) Problems
	// Warn returns the problems of the settings of a receiver that has a Secret, as warnings; nil: there are no warnings.
	Warn func(*S) Problems
	// SecretKeys returns the keys of the Secret that the settings name, in addition to the keys in Modes; nil: they name none.
	SecretKeys func(*S) []string
	// SkipsTLSVerify reports whether the settings turn off the verification of certificates; nil: they never do.
	SkipsTLSVerify func(*S) bool
	// New returns a sender. An error names the invalid field or key of the Secret, but not its value.
	New func(settings *S, secret *Secret, client *outbound.Client) (Sender, error)
	// RepostEvery returns the interval at which an active alert is sent again, because the receiver forgets it otherwise; 0: the external
	// id is not of such an alert. nil: nothing is sent again, else the senders are BatchSenders.
	RepostEvery func(externalID string) time.Duration
	// RaisesByReopening: a message about an open incident notifies no one, so that the incident is resolved and opened again where the
	// severity rises.
	RaisesByReopening bool
	// Modes are the ways in which the provider sends. There is at least one.
	Modes []Mode
}

// With returns the provider with the settings of a receiver. Without settings, as nil, only RepostEvery, RaisesByReopening and Modes can be
// called.
func (p *Provider[S]) With(settings *S) Configured { return configured[S]{p, settings} }

// Configured is a Provider with the settings of a receiver, of any type. Its methods call the functions in the fields of Provider.
type Configured interface {
	Addresses() []Address
	Check() Problems
	Warn() Problems
	SecretKeys() []string
	SkipsTLSVerify() bool
	New(secret *Secret, client *outbound.Client) (Sender, error)
	RepostEvery(externalID string) time.Duration
	RaisesByReopening() bool
	Modes() []Mode
}

// configured is the only Configured: here the type of the settings is known, so that nothing has to be cast.
type configured[S any] struct {
	provider *Provider[S]
	settings *S
}

func (c configured[S]) Addresses() []Address    { return call(c.provider.Addresses, c.settings) }
func (c configured[S]) Check() Problems         { return call(c.provider.Check, c.settings) }
func (c configured[S]) Warn() Problems          { return call(c.provider.Warn, c.settings) }
func (c configured[S]) SecretKeys() []string    { return call(c.provider.SecretKeys, c.settings) }
func (c configured[S]) SkipsTLSVerify() bool    { return call(c.provider.SkipsTLSVerify, c.settings) }
func (c configured[S]) RaisesByReopening() bool { return c.provider.RaisesByReopening }
func (c configured[S]) Modes() []Mode           { return c.provider.Modes }

func (c configured[S]) RepostEvery(externalID string) time.Duration {
	return call(c.provider.RepostEvery, externalID)
}

func (c configured[S]) New(secret *Secret, client *outbound.Client) (Sender, error) {
	return c.provider.New(c.settings, secret, client)
}

// call calls an optional function of a Provider; where it is nil, the result is the zero value.
func call[A, R any](f func(A) R, argument A) (r R) {
	if f != nil {
		r = f(argument)
	}
	return r
}

// Mode describes one way in which a provider sends, such as a bot or an incoming webhook. The tables of docs/reference/receivers.md
// are generated from the modes of all providers, and tests compare the modes with the senders.
type Mode struct {
	// Name distinguishes the modes of a provider; "" where it has one.
	Name string
	// SecretKeys are the keys of the Secret that New reads in this mode.
	SecretKeys []string
	// DefaultURL is the address where the settings have none; "": the settings or the Secret must have one.
	DefaultURL string
	// Repeat is how often people see a message whose response was lost, so that it was sent again: Once or Twice. A condition may follow after a
	// comma.
	Repeat string
	// Key is the field by which the service recognizes a repeat; "": it recognizes none.
	Key string
	// Update and Resolve are how people see an update and a resolve: InPlace or OwnMessage. A detail may follow after a comma.
	Update  string
	Resolve string
	// Links is how people see the links of an Alert, such as Buttons.
	Links string
	// Sent describes the state of the message that a success of the service proves.
	Sent string
	// Probe describes the request of Probe; "": the sender is not a Prober.
	Probe string
	// ProbeGap describes the settings or rights that a success of Probe does not prove.
	ProbeGap string
}

// The texts with which cells of the generated tables begin.
const (
	Once       = "once"
	Twice      = "twice"
	InPlace    = "in place"    // the earlier message is changed
	OwnMessage = "own message" // the earlier message stays

	Buttons = "buttons"
	Lines   = "lines below the content"
)

// MayRing is the detail of an update in place that may notify people: the sender is no Editor.
const MayRing = "may ring"

// Address is the destination of a receiver's requests.
type Address struct {
	// Field is the path of the address in the settings, such as url.
	Field string
	Host  string
	// Plain reports that the connection is not encrypted.
	Plain bool
}

// URLAddress returns the address of a URL; none where it is empty or not a URL, which the schema or the provider refuses.
func URLAddress(field, value string) []Address {
	u, err := url.Parse(strings.TrimSpace(value)) // as ParseURL does
	if err != nil || u.Hostname() == "" {
		return nil
	}
	return []Address{{Field: field, Host: u.Hostname(), Plain: u.Scheme == "http"}}
}

// HostAddress returns the address of a host, with or without a port.
func HostAddress(field, value string, plain bool) []Address {
	host, _, err := net.SplitHostPort(value)
	if err != nil {
		host = strings.Trim(value, "[]")
	}
	return []Address{{Field: field, Host: host, Plain: plain}}
}

// maxCredential bounds a credential, in bytes: the cost of its redaction grows with its length.
const maxCredential = 4096

// Secret has the credentials of a receiver.
type Secret struct {
	data map[string][]byte
	err  error
}

// NewSecret returns the credentials in the data of a Secret.
func NewSecret(data map[string][]byte) *Secret { return &Secret{data: data} }

// Get returns the value of a key; "" where the key does not exist.
func (s *Secret) Get(key string) string {
	value := s.data[key]
	if len(value) > maxCredential && s.err == nil {
		s.err = fmt.Errorf("the Secret's key %s has %d bytes: at most %d are taken", key, len(value), maxCredential)
	}
	return string(value)
}

// Err returns the error of a value that Get returned and that is too long for a credential.
func (s *Secret) Err() error { return s.err }
