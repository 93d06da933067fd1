// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// The admission policies of config/injection read these, and the operator does not.
const (
	// InjectionLabel is the label of a Namespace whose Pods may get the credentials
	// of its ServiceBindings; the value is enabled.
	InjectionLabel = "bellhop.gophernetes.io/injection"
	// InjectLabel is the label of a Pod that gets credentials; the value is true.
	InjectLabel = "bellhop.gophernetes.io/inject"
	// InjectBindingsAnnotation names the ServiceBindings whose credentials a Pod
	// gets: 1 to 16, separated by commas, as NAME or, where the Secret has another
	// name, NAME=SECRET.
	InjectBindingsAnnotation = "bellhop.gophernetes.io/bindings"
	// InjectEnvAnnotation names the variables that the containers of a Pod get: at
	// most 64, separated by commas, as VARIABLE=BINDING/KEY.
	InjectEnvAnnotation = "bellhop.gophernetes.io/env"
	// InjectedAnnotation is on a Pod that has its credentials, as true. A Pod that
	// cannot have them is refused with what the annotation would say instead.
	InjectedAnnotation = "bellhop.gophernetes.io/injected"
)
