// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package grpcnotifier sends to a notifier: a server of the interface in proto/bellhop/notifier/v1, in any language, for a service
// that Bellhop does not know.
//
// The contract is in notifier.proto. A repeat has the same delivery key, by which the server recognizes it.
//
// The calls are requests of package outbound, like the requests to any receiver, and the library makes and reads their bodies. No call is repeated
// here.
package grpcnotifier

import (
	"context"
	"net"
	"net/netip"
	"regexp"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	notifierv1 "github.com/gophernetes/bellhop/proto/bellhop/notifier/v1"
)

// Provider describes notifiers to the registry.
var Provider = notify.Provider[v1beta1.GRPCProvider]{
	Addresses: func(s *v1beta1.GRPCProvider) []notify.Address {
		address, isPlain, problem := endpoint(s.Address)
		if problem != "" {
			return nil
		}
		return notify.HostAddress("address", address, isPlain)
	},
	Check: func(s *v1beta1.GRPCProvider) notify.Problems { return check(configOf(s)) },
	New: func(s *v1beta1.GRPCProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		config := configOf(s)
		config.Token = secret.Get("token")
		return New(config, client)
	},
	Modes: []notify.Mode{{
		SecretKeys: []string{"token"},
		Repeat:     notify.Once + ", if the server drops a `delivery_key` that it has seen",
		Key:        "`delivery_key`",
		Update:     notify.OwnMessage + ", or as the server shows it",
		Resolve:    notify.OwnMessage + ", or as the server shows it",
		Links:      "`links` of the request",
		Sent:       "the server answered OK",
		Probe:      "`Probe` of the server",
		ProbeGap:   "what the server does not check",
	}},
}

// plainScheme begins an address whose connection is not encrypted.
const plainScheme = "http://"

// maxParameters bounds the parameters of a receiver.
const maxParameters = 16

// Config is the configuration of a Sender.
type Config struct {
	// Address is the server, as host:port. With http:// before it, the connection is not encrypted.
	Address string
	// ServerName is the name in the server's certificate; the host of the address if empty.
	ServerName string
	// Parameters are a part of each request.
	Parameters map[string]string
	// Token is sent with each call, unless it is empty.
	Token string
}

func configOf(s *v1beta1.GRPCProvider) Config {
	c := Config{Address: s.Address, ServerName: s.ServerName}
	if len(s.Parameters) > 0 {
		c.Parameters = map[string]string{}
	}
	for name, value := range s.Parameters {
		c.Parameters[name] = string(value)
	}
	return c
}

// Sender is a notify.Sender.
type Sender struct {
	notify.HTTP
	server        *Server
	authorization string
	parameters    map[string]string
	redactor      *redact.Redactor
}

var (
	_ notify.Sender = (*Sender)(nil)
	_ notify.Prober = (*Sender)(nil)
)

// check returns the problems of the settings in a spec.
func check(config Config) (problems notify.Problems) {
	_, isPlain, problem := endpoint(config.Address)
	if problem != "" {
		problems.AddURL("address", config.Address, problem)
	}
	switch {
	case config.ServerName != "" && isPlain:
		problems.Add("serverName", config.ServerName, "must not be set with http://: there is no certificate")
	case config.ServerName != "" && !isHost(config.ServerName):
		problems.Add("serverName", config.ServerName, "must be a host name or IP address, without a port")
	}
	if len(config.Parameters) > maxParameters {
		problems.Add("parameters", "", "must be at most 16")
	}
	return problems
}

// New returns a sender. An error is a *result.Error that names the invalid field.
func New(config Config, client *outbound.Client) (*Sender, error) {
	if err := check(config).Err(); err != nil {
		return nil, err
	}
	authorization, err := notify.Authorization(config.Token, "", "")
	if err != nil {
		return nil, err
	}
	server := NewServer(config, client)
	return &Sender{
		HTTP: notify.NewHTTP(server.client, config.Token), server: server, authorization: authorization,
		parameters: config.Parameters, redactor: redact.NewRedactor(config.Token),
	}, nil
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9.])?$`)

func isHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Zone() == "" || err != nil && hostName.MatchString(host)
}

// endpoint parses an address.
func endpoint(text string) (address string, isPlain bool, problem string) {
	address, isPlain = strings.CutPrefix(strings.TrimSpace(text), plainScheme)
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "" || !isHost(host) {
		return "", isPlain, "must be a host and a port, such as notifier.example.com:8443, without a path; an IPv6 address is in brackets"
	}
	return address, isPlain, notify.HostProblem(host, port)
}

var events = map[result.Event]notifierv1.Event{
	result.Fired:    notifierv1.Event_EVENT_FIRED,
	result.Updated:  notifierv1.Event_EVENT_UPDATED,
	result.Resolved: notifierv1.Event_EVENT_RESOLVED,
}

var severities = map[notify.Severity]notifierv1.Severity{
	notify.Info:     notifierv1.Severity_SEVERITY_INFO,
	notify.Warning:  notifierv1.Severity_SEVERITY_WARNING,
	notify.Critical: notifierv1.Severity_SEVERITY_CRITICAL,
}

// requestOf returns the request of a message. Its texts are valid UTF-8, which the encoding requires. The longest ones that the schema of
// an Alert permits fit into maxMessage.
func (s *Sender) requestOf(m notify.Message, k notify.Key) *notifierv1.NotifyRequest {
	r := &notifierv1.NotifyRequest{
		DeliveryKey: k.Delivery,
		IncidentKey: k.Incident,
		Event:       events[m.Event],
		Title:       m.Title(),
		Content:     m.Content(),
		Severity:    severities[m.Severity],
		Namespace:   m.Namespace,
		Name:        m.Name,
		Uid:         m.UID,
		Time:        timestamppb.New(m.Time),
		Parameters:  s.parameters,
	}
	for _, l := range m.Links() {
		r.Links = append(r.Links, &notifierv1.Link{Text: l.Text, Href: l.Href})
	}
	for _, i := range m.Instances() {
		text, _ := notify.Cut(i.Text, maxText, notify.Bytes) // only the replacement of characters can make it longer than the schema's limit
		instance := &notifierv1.Instance{Key: i.Key, Text: text}
		if !i.StartsAt.IsZero() {
			instance.StartsAt = timestamppb.New(i.StartsAt)
		}
		if !i.EndsAt.IsZero() {
			instance.EndsAt = timestamppb.New(i.EndsAt)
		}
		r.Instances = append(r.Instances, instance)
	}
	return r
}

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	response, failure := call[notifierv1.NotifyRequest, notifierv1.NotifyResponse](ctx, s, notifierv1.Notifier_Notify_FullMethodName, s.requestOf(m, k))
	if failure != nil {
		return result.Receipt{}, failure
	}
	receipt := result.Receipt{Note: "the notifier accepted the message"}
	if id := response.GetExternalId(); len(id) <= maxText && s.redactor.Clean(id, maxText) == id {
		receipt.ExternalID = id
	}
	if note := strings.TrimSpace(s.redactor.Clean(response.GetNote(), maxText)); note != "" {
		receipt.Note += ": " + note
	}
	return receipt, nil
}

// Probe calls Probe, which has no effect.
func (s *Sender) Probe(ctx context.Context) error {
	request := &notifierv1.ProbeRequest{Parameters: s.parameters}
	_, failure := call[notifierv1.ProbeRequest, notifierv1.ProbeResponse](ctx, s, notifierv1.Notifier_Probe_FullMethodName, request)
	if failure != nil {
		return notify.NotSent(failure)
	}
	return nil
}

// call makes one call, and returns its response or its error.
func call[Request, Response any](ctx context.Context, s *Sender, method string, request *Request) (*Response, *result.Error) {
	ctx, cancel := s.server.client.WithTimeout(ctx) // the library passes the deadline on to the server
	defer cancel()
	response, made, err := Call[Request, Response](ctx, s.server, s.authorization, method, request)
	if err != nil {
		return nil, s.classify(ctx, err, made)
	}
	return response, nil
}
