// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
)

// The types of the catalog have only the fields of Open Service Broker that this broker uses.
type catalog struct {
	Services []*service `json:"services"`
}

type service struct {
	Name                 string   `json:"name"`
	ID                   string   `json:"id"`
	Description          string   `json:"description"`
	Tags                 []string `json:"tags"`
	Bindable             bool     `json:"bindable"`
	InstancesRetrievable bool     `json:"instances_retrievable"`
	BindingsRetrievable  bool     `json:"bindings_retrievable"`
	PlanUpdateable       bool     `json:"plan_updateable"`
	Metadata             display  `json:"metadata"`
	Plans                []*plan  `json:"plans"`

	async bool // its operations are asynchronous
}

type plan struct {
	Name             string           `json:"name"`
	ID               string           `json:"id"`
	Description      string           `json:"description"`
	Free             bool             `json:"free"`
	BindingRotatable bool             `json:"binding_rotatable"`
	MaximumPolling   int              `json:"maximum_polling_duration,omitempty"` // seconds
	Maintenance      *maintenanceInfo `json:"maintenance_info,omitempty"`
	Schemas          json.RawMessage  `json:"schemas"`

	connections int // limit of simultaneous connections to a database
}

type display struct {
	DisplayName     string `json:"displayName"`
	LongDescription string `json:"longDescription,omitempty"`
}

type maintenanceInfo struct {
	Version     string `json:"version"`
	Description string `json:"description,omitempty"`
}

// services is the catalog.
var services = catalog{[]*service{
	{
		Name: "azure-mysql", ID: "64c061d6-4b2c-4ddc-b020-1b4d27da0dce",
		Description: "A MySQL database, at once",
		Tags:        []string{"mysql", "relational"},
		Bindable:    true, InstancesRetrievable: true, BindingsRetrievable: true, PlanUpdateable: true,
		Metadata: display{"MySQL", "A database of the MySQL server that is part of the demo's broker. It is in memory."},
		Plans: []*plan{
			{
				Name: "basic50", ID: "438d65fd-9c12-4093-9e29-3753109aa78a", Description: "Up to 50 connections",
				Free: true, BindingRotatable: true, Schemas: schemas, connections: 50,
			},
			{
				Name: "standard100", ID: "2416f930-65e8-4f84-81a6-0ebf2dfa837f", Description: "Up to 100 connections",
				BindingRotatable: true, Schemas: schemas, connections: 100,
				Maintenance: &maintenanceInfo{mysqlVersion, "MySQL " + mysqlVersion + "; nothing is interrupted"},
			},
		},
	},
	{
		Name: "azure-mysql-flexible", ID: "1d3f9ded-4727-4c14-b333-eab2e8cbd85c",
		Description: "A MySQL database, after a while",
		Tags:        []string{"mysql", "relational"},
		Bindable:    true, InstancesRetrievable: true, BindingsRetrievable: true, PlanUpdateable: true,
		Metadata: display{"MySQL, flexible", "The same database, by asynchronous operations."},
		Plans: []*plan{{
			Name: "burstable10", ID: "014c5f2e-ed9d-42fd-99ee-c8fc0f492429", Description: "Up to 10 connections",
			Free: true, BindingRotatable: true, MaximumPolling: 600, Schemas: schemas, connections: 10,
		}},
		async: true,
	},
}}

// schemas are those of every plan. They describe instanceParameters and bindingParameters.
var schemas = json.RawMessage(`{
  "service_instance": {
    "create": {"parameters": ` + instanceSchema + `},
    "update": {"parameters": ` + instanceSchema + `}
  },
  "service_binding": {
    "create": {"parameters": {
      "$schema": "http://json-schema.org/draft-04/schema#",
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "readOnly": {"type": "boolean", "description": "Whether the user may only read. Default: false"}
      }
    }}
  }
}`)

const instanceSchema = `{
  "$schema": "http://json-schema.org/draft-04/schema#",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "location": {"type": "string", "minLength": 1, "description": "A region, which is kept and means nothing here"},
    "resourceGroup": {"type": "string", "minLength": 1, "description": "A group, which is kept and means nothing here"},
    "firewallRules": {
      "type": "array",
      "description": "The addresses from which one can log in. Default: all",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "startIPAddress", "endIPAddress"],
        "properties": {
          "name": {"type": "string", "minLength": 1},
          "startIPAddress": {"type": "string", "format": "ipv4"},
          "endIPAddress": {"type": "string", "format": "ipv4"}
        }
      }
    }
  }
}`

type instanceParameters struct {
	Location      *string        `json:"location"`
	ResourceGroup *string        `json:"resourceGroup"`
	FirewallRules []firewallRule `json:"firewallRules"`
}

type firewallRule struct {
	Name  string     `json:"name"`
	Start netip.Addr `json:"startIPAddress"`
	End   netip.Addr `json:"endIPAddress"`
}

type bindingParameters struct {
	ReadOnly bool `json:"readOnly"`
}

func (r firewallRule) contains(address netip.Addr) bool {
	return r.Start.Compare(address) <= 0 && address.Compare(r.End) <= 0
}

func (r firewallRule) check() error {
	switch {
	case r.Name == "":
		return errors.New("name is missing")
	case !r.Start.Is4() || !r.End.Is4():
		return errors.New("startIPAddress and endIPAddress have to be IPv4 addresses")
	case r.End.Less(r.Start):
		return fmt.Errorf("endIPAddress %s is before startIPAddress %s", r.End, r.Start)
	}
	return nil
}

func parseInstanceParameters(given map[string]any) (*instanceParameters, error) {
	p, err := decodeStrictly[instanceParameters](given)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]*string{"location": p.Location, "resourceGroup": p.ResourceGroup} {
		if value != nil && *value == "" {
			return nil, fmt.Errorf("%s is empty", name)
		}
	}
	for n, rule := range p.FirewallRules {
		if err := rule.check(); err != nil {
			return nil, fmt.Errorf("firewallRules[%d]: %w", n, err)
		}
	}
	return p, nil
}

// decodeStrictly decodes parameters, and refuses fields that the type does not have.
func decodeStrictly[T any](given map[string]any) (*T, error) {
	text, err := json.Marshal(given)
	if err != nil {
		return nil, err
	}
	into := new(T)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(into)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return nil, fmt.Errorf("%s is of the wrong type: a %s", wrong.Field, wrong.Value)
	}
	return into, err
}

// find returns a service and its plan by their ids.
func (c catalog) find(serviceID, planID string) (*service, *plan, error) {
	for _, s := range c.Services {
		if s.ID != serviceID {
			continue
		}
		for _, p := range s.Plans {
			if p.ID == planID {
				return s, p, nil
			}
		}
		return nil, nil, fmt.Errorf("the service %s has no plan with plan_id %q", s.Name, planID)
	}
	return nil, nil, fmt.Errorf("the catalog has no service with service_id %q", serviceID)
}
