// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package endpoint has the addresses at which the operator serves AlertSources. The operator, and the kubectl plugin that prints the settings
// of senders, have them from here.
package endpoint

import "fmt"

const (
	// Service is the name of the listener's Service, in the operator's namespace, and Port its port of the name PortName.
	Service  = "bellhop-ingest-service"
	Port     = 9444
	PortName = "ingest"
	// Off is the value of --ingest-bind-address that turns the listener off.
	Off = "0"

	// Audience is the audience of the tokens of ServiceAccounts, and TokenKey the key of the Secret of an AlertSource.
	Audience = "bellhop"
	TokenKey = "token"
	// NextTokenKey is the key of a second token, which is accepted as well: during a rotation some senders have it already.
	NextTokenKey = "tokenNext"

	// Alerts, Status and Webhook are the paths below the path of an AlertSource.
	Alerts  = "/api/v2/alerts"
	Status  = "/api/v2/status"
	Webhook = "/webhook"
)

// Path returns the path of an AlertSource.
func Path(namespace, name string) string {
	return fmt.Sprintf("/v1/namespaces/%s/alertsources/%s", namespace, name)
}
