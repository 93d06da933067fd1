// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingsecret"
)

// variable is a variable of the environment.
type variable struct{ name, value string }

// nameFlags are how variables are named.
type nameFlags struct {
	prefix    string
	upperCase bool
	// allow are names of variables that need not be permitted ones.
	allow []string
}

func (f *nameFlags) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.prefix, "prefix", "", "What the names of variables begin with, such as DB_")
	cmd.Flags().BoolVar(&f.upperCase, "upper-case", false, "Name variables in upper case")
	cmd.Flags().StringSliceVar(&f.allow, "allow", nil, "Variables to set although their names are not those of an address or of credentials")
	cli.CompleteFlag(cmd, "prefix", cobra.NoFileCompletions)
	cli.CompleteFlag(cmd, "allow", cobra.NoFileCompletions)
}

// isSet reports whether a flag differs from its default.
func (f *nameFlags) isSet() bool { return f.prefix != "" || f.upperCase || len(f.allow) > 0 }

var shellName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (f *nameFlags) validate() error {
	if f.prefix != "" && !shellName.MatchString(f.prefix) {
		return cli.WithHint(cli.UsageError("--prefix=%s: the name of a variable has letters, digits and _ only, and begins with no digit", f.prefix),
			"for example --prefix=DB_")
	}
	return nil
}

// name is the name of the variable of a key: characters that no variable can have become _.
func (f *nameFlags) name(key string) string {
	name := f.prefix + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			return r
		default:
			return '_'
		}
	}, key)
	if name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	if f.upperCase {
		return strings.ToUpper(name)
	}
	return name
}

// variables returns a variable for each key, sorted by name, and the keys that are left out. A key is left out if a program may run code because of
// a variable with that name or value. Keys of the same name and value are one.
func (f *nameFlags) variables(data map[string][]byte) (all []variable, leftOut []string, err error) {
	keys := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		name := f.name(key)
		if !slices.Contains(f.allow, name) && (!f.permitsName(name) || isOption(key, string(data[key]))) {
			leftOut = append(leftOut, key)
			continue
		}
		other, ok := keys[name]
		switch {
		case ok && bytes.Equal(data[other], data[key]): // as username, which the operator adds beside USERNAME
			continue
		case ok:
			return nil, nil, cli.WithHint(fmt.Errorf("keys %q and %q would both be the variable %s", other, key, name), "--omit=%s leaves one out", key)
		}
		keys[name] = key
		if !isText(data[key]) {
			return nil, nil, errBinary(key, "a variable")
		}
		all = append(all, variable{name, string(data[key])})
	}
	for _, name := range f.allow {
		if keys[name] == "" {
			return nil, nil, cli.WithHint(fmt.Errorf("--allow=%s: no key of the Secret is the variable %s", name, name), "%s",
				cli.Suggestion(name, f.names(data)))
		}
	}
	slices.SortFunc(all, func(a, b variable) int { return strings.Compare(a.name, b.name) })
	return all, leftOut, nil
}

// names are the names of the variables of all keys.
func (f *nameFlags) names(data map[string][]byte) (all []string) {
	for key := range data {
		all = append(all, f.name(key))
	}
	return all
}

// warnLeftOut names the keys that variables left out.
func (f *nameFlags) warnLeftOut(e *cli.Environment, leftOut []string) {
	if len(leftOut) == 0 {
		return
	}
	var names []string
	for _, key := range leftOut {
		names = append(names, f.name(key))
	}
	fmt.Fprintf(e.ErrOut, "warning: left out %s %s: by some variables, and by values that are options, a broker could have programs run its code\n",
		plural("key", len(leftOut)), quotedList(leftOut))
	fmt.Fprintf(e.ErrOut, "hint: --allow=%s sets %s nevertheless, --prefix=DB_ gives other names, and --omit=%s leaves %s out without a warning\n",
		strings.Join(names, ","), pronoun(names), strings.Join(leftOut, ","), pronoun(names))
}

func pronoun(names []string) string {
	if len(names) == 1 {
		return "it"
	}
	return "them"
}

// isText reports whether a value can be a text: it is UTF-8 without NUL.
func isText(value []byte) bool { return utf8.Valid(value) && !bytes.Contains(value, []byte{0}) }

func errBinary(key, where string) error {
	return cli.WithHint(fmt.Errorf("the value of key %q is binary, and cannot be in %s", key, where),
		"--omit=%s leaves it out, and creds --key=%s prints it as it is", key, key)
}

// products are databases, message brokers, stores and the interfaces to them.
const products = `mysql|mariadb|pg|postgres|postgresql|mssql|sqlserver|oracle|jdbc|r2dbc|odbc|mongo|mongodb|redis|valkey|rabbitmq|amqp|kafka|nats|mqtt|` +
	`stomp|smtp|s3|minio|memcached|elasticsearch|elastic|opensearch|clickhouse|cassandra|couchdb|neo4j|influxdb|cockroachdb`

// roles are words for the part that a server or a user has.
const roles = `db|database|sql|service|server|client|admin|root|read|readonly|reader|write|writer|primary|replica|public|private|internal|external|` +
	`http|https|api|tls`

// attributes are the names of values in credentials.
const attributes = `host|hosts|hostname|hostnames|address|addresses|endpoint|endpoints|server|servers|bootstrapservers|port|ports|protocol|scheme|` +
	`user|username|login|password|pass|passphrase|token|authtoken|accesstoken|apikey|accesskey|accesskeyid|secretkey|secretaccesskey|clientid|` +
	`clientsecret|db|dbname|database|databasename|name|schema|keyspace|collection|sid|vhost|virtualhost|exchange|queue|topic|bucket|bucketname|region|` +
	`uri|uris|url|urls|dsn|connectionstring|dashboardurl|dashboarduri|authurl|tokenurl|baseurl|ssl|sslmode|tls|cacrt|cacert|cacertificate|tlscrt|` +
	`tlscert|tlskey|certificate|privatekey|type|provider|tags`

// permitted are names without their separators and in lower case: an attribute after any products and roles, and names of database clients
// that are not made of them. The keys are the broker's, and a list of the names by which programs run code cannot be complete.
var permitted = regexp.MustCompile(`^(?:(?:` + products + `|` + roles + `)*(?:` + attributes + `)|pghostaddr|mysqlpwd|mysqltcpport|rediscliauth)$`)

// ownPrefix matches a prefix that is a word of its own rather than the beginning of another, such as PA of PATH.
var ownPrefix = regexp.MustCompile(`^[A-Za-z].*_$`)

// ofProduct matches a prefix by which clients and servers of a product know more variables than credentials need, such as MYSQL_HOME.
var ofProduct = regexp.MustCompile(`(?i)^(?:` + products + `)_$`)

// permitsName reports whether a variable may be set without --allow: its name is made of attributes, or begins with a prefix of the user.
func (f *nameFlags) permitsName(name string) bool {
	return permitted.MatchString(strings.ToLower(strings.ReplaceAll(name, "_", ""))) || ownPrefix.MatchString(f.prefix) && !ofProduct.MatchString(f.prefix)
}

// Values that a client may misinterpret. A value that begins with a hyphen is an option where a script has no quotes or no name of an option before
// it. The programs of libpq read parameters, such as the engine of sslkey, in the name of a database.
var (
	plainText  = regexp.MustCompile(`(?:host|hosts|hostname|address|endpoint|port|user|username|login|db|dbname|database|databasename|name|schema|uri|url|dsn)$`)
	ofDatabase = regexp.MustCompile(`(?:db|database|(?:^|db|database)name)$`)
)

// isOption reports whether a program could take a value for an option or for a list of parameters.
func isOption(key, value string) bool {
	key = bindingsecret.PlainKey(key)
	return plainText.MatchString(key) && strings.HasPrefix(strings.TrimSpace(value), "-") ||
		ofDatabase.MatchString(key) && (strings.Contains(value, "=") || strings.Contains(value, "://"))
}

// environment returns the variables of an environment, such as os.Environ, with some replaced or added.
func environment(inherited []string, variables []variable) []string {
	own := map[string]bool{}
	for _, v := range variables {
		own[v.name] = true
	}
	var all []string
	for _, entry := range inherited {
		if name, _, _ := strings.Cut(entry, "="); !own[name] {
			all = append(all, entry)
		}
	}
	for _, v := range variables {
		all = append(all, v.name+"="+v.value)
	}
	return all
}
