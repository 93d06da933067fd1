// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package parameters has the flags for parameters of instances and bindings, and checks them against the schema of the plan.
package parameters

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/marketplace"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/schema"
)

// Flags are --param, --params and --params-secret.
type Flags struct {
	pairs, secrets []string
	file           string
}

// AddFlags adds the flags.
func (f *Flags) AddFlags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&f.pairs, "param", "p", nil, "A parameter, KEY=VALUE; KEY may be OBJECT.FIELD; can be repeated")
	cmd.Flags().StringVar(&f.file, "params", "", "File with all parameters, a JSON or YAML object; - is standard input")
	cmd.Flags().StringArrayVar(&f.secrets, "params-secret", nil, "More parameters from a Secret, NAME/KEY: the value is a JSON object; can be repeated")
}

// IsSet reports whether one of the flags is given.
func (f *Flags) IsSet() bool { return len(f.pairs) > 0 || f.file != "" || len(f.secrets) > 0 }

// Sources are the sources in --params-secret.
func (f *Flags) Sources() ([]v1beta1.ParametersFromSource, error) {
	var sources []v1beta1.ParametersFromSource
	for _, text := range f.secrets {
		name, key, ok := strings.Cut(text, "/")
		if !ok || name == "" || key == "" {
			return nil, cli.UsageError("--params-secret=%s: must be NAME/KEY of a Secret in the namespace, such as orders-parameters/admin", text)
		}
		sources = append(sources, v1beta1.ParametersFromSource{SecretKeyRef: &v1beta1.SecretKeyReference{Name: name, Key: key}})
	}
	return sources, nil
}

// Apply returns the parameters that the flags request: --params replaces current, then each --param sets or, as KEY-, removes one. The schema,
// which may be nil, has the types of values.
func (f *Flags) Apply(e *cli.Environment, current, schema *runtime.RawExtension) (*runtime.RawExtension, error) {
	values := map[string]any{}
	if current != nil && len(current.Raw) > 0 {
		if err := decode(current.Raw, &values); err != nil {
			return nil, fmt.Errorf("the parameters of the object: %w", err)
		}
	}
	if f.file != "" {
		text, err := read(e, f.file)
		if err != nil {
			return nil, err
		}
		values = map[string]any{}
		if err := decode(text, &values); err != nil {
			return nil, cli.UsageError("--params=%s: must be a JSON or YAML object: %v", f.file, err)
		}
	}
	types := typesOf(schema)
	for _, pair := range f.pairs {
		if err := apply(values, pair, types); err != nil {
			return nil, err
		}
	}
	if len(values) == 0 {
		return nil, nil
	}
	raw, err := json.Marshal(values)
	return &runtime.RawExtension{Raw: raw}, err
}

func read(e *cli.Environment, path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(e.In)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, cli.UsageError("--params: %w", err)
	}
	return text, nil
}

// decode reads a JSON or YAML object, and keeps numbers as they are written.
func decode(text []byte, into *map[string]any) error {
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(asJSON))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// typesOf returns the type of each parameter that a schema describes, by path.
func typesOf(schema *runtime.RawExtension) map[string]string {
	types := map[string]string{}
	if schema == nil {
		return types
	}
	fields, err := marketplace.Fields(schema.Raw)
	if err != nil {
		return types // the broker checks the parameters
	}
	for _, f := range fields {
		types[f.Path] = f.Type
	}
	return types
}

// apply sets KEY=VALUE, or removes KEY-.
func apply(values map[string]any, pair string, types map[string]string) error {
	path, text, isSet := strings.Cut(pair, "=")
	if !isSet {
		var removes bool
		if path, removes = strings.CutSuffix(pair, "-"); !removes || path == "" {
			return cli.UsageError("--param=%s: must be KEY=VALUE, or KEY- to remove it", pair)
		}
	}
	names := strings.Split(path, ".")
	if slices.Contains(names, "") {
		return cli.UsageError("--param=%s: the key must be NAME or OBJECT.FIELD", pair)
	}
	object := values
	for i, name := range names[:len(names)-1] {
		switch inner := object[name].(type) {
		case map[string]any:
			object = inner
		case nil:
			if !isSet {
				return nil
			}
			created := map[string]any{}
			object[name], object = created, created
		default:
			return cli.UsageError("--param=%s: %s is no object", pair, strings.Join(names[:i+1], "."))
		}
	}
	last := names[len(names)-1]
	if !isSet {
		delete(object, last)
		return nil
	}
	object[last] = valueOf(text, types[path])
	return nil
}

// valueOf converts a text to the type in the schema; of an unknown type as YAML does, so that 5 is a number and "5" a string. A text that is not of
// the type stays a string, and a check by the schema reports it.
func valueOf(text, kind string) any {
	if kind == "string" {
		return text
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil || decoder.More() {
		return text
	}
	if _, err := decoder.Token(); err != io.EOF {
		return text
	}
	return value
}

// Complete changes the parameters of an object, which are inline, and their sources as the flags ask, and checks them against the schema of
// the plan's operation, as admission does. Where class or plan is nil nothing is checked here. Secrets are not read.
func (f *Flags) Complete(ctx context.Context, e *cli.Environment, obj metav1.Object, class v1beta1.Class, plan v1beta1.Plan, operation string, inline **runtime.RawExtension, from *[]v1beta1.ParametersFromSource) error {
	sources, err := f.Sources()
	if err != nil {
		return err
	}
	*from = append(*from, sources...)
	isKnown := class != nil && plan != nil
	var schema *runtime.RawExtension
	if isKnown {
		schema = marketplace.SchemaOf(plan, operation)
	}
	if *inline, err = f.Apply(e, *inline, schema); err != nil || !isKnown {
		return err
	}
	warning, err := check(ctx, class, plan, operation, *inline, len(*from) > 0)
	if warning != "" {
		fmt.Fprintln(e.ErrOut, "Warning:", warning)
	}
	if err != nil && catalog.IsSchemaAdvisory(plan, obj) {
		return nil // the API server warns, and the broker decides
	}
	return err
}

// check checks parameters against the schema of the plan's operation, as admission does. More parameters may come from Secrets, which are
// not read. It returns a warning where the schema cannot be used.
func check(ctx context.Context, class v1beta1.Class, plan v1beta1.Plan, operation string, parameters *runtime.RawExtension, hasSecrets bool) (warning string, err error) {
	var raw []byte
	if parameters != nil {
		raw = parameters.Raw
	}
	errs, warning := schema.Validate(ctx, marketplace.SchemaOf(plan, operation), raw, schema.Options{
		Path: field.NewPath("parameters"), Partial: hasSecrets, ShowValues: true,
	})
	if len(errs) == 0 {
		return warning, nil
	}
	name := class.Common().ExternalName + "/" + plan.Common().ExternalName
	lines := []string{fmt.Sprintf("the parameters are not those that plan %s takes:", name)}
	for _, e := range errs {
		lines = append(lines, "  "+e.Error())
	}
	hint := "kubectl bellhop schema " + name
	if operation != marketplace.ForProvision {
		hint += " --for " + operation
	}
	return "", cli.WithHint(cli.UsageError("%s", strings.Join(lines, "\n")), "%s shows which there are", hint)
}
