// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

func TestNamesOfVariables(t *testing.T) {
	for _, c := range []struct {
		flags     nameFlags
		key, want string
	}{
		{nameFlags{}, "host", "host"},
		{nameFlags{}, "jdbcUrl", "jdbcUrl"},
		{nameFlags{}, "tls.crt", "tls_crt"},
		{nameFlags{}, "db-host", "db_host"},
		{nameFlags{}, "..weird", "__weird"},
		{nameFlags{}, "1st", "_1st"},
		{nameFlags{prefix: "DB_"}, "1st", "DB_1st"},
		{nameFlags{prefix: "DB_"}, "host", "DB_host"},
		{nameFlags{prefix: "db_", upperCase: true}, "tls.crt", "DB_TLS_CRT"},
		{nameFlags{upperCase: true}, "host", "HOST"},
	} {
		if got := c.flags.name(c.key); got != c.want {
			t.Errorf("%+v, key %q: %q, want %q", c.flags, c.key, got, c.want)
		}
		if got := c.flags.name(c.key); !shellName.MatchString(got) {
			t.Errorf("key %q: no shell can have the variable %q", c.key, got)
		}
	}
}

func TestVariablesThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		flags nameFlags
		data  map[string]string
		want  []string // parts of the message or the hint
	}{
		"clash":         {nameFlags{}, map[string]string{"db-host": "a", "db.host": "b"}, []string{`"db-host" and "db.host"`, "db_host", "--omit=db.host"}},
		"clash of case": {nameFlags{upperCase: true}, map[string]string{"Host": "a", "host": "b"}, []string{`"Host" and "host"`, "HOST"}},
		"not UTF-8":     {nameFlags{}, map[string]string{"password": "\xff\xfe"}, []string{`key "password" is binary`, "--key=password", "--omit=password"}},
		"NUL":           {nameFlags{allow: []string{"blob"}}, map[string]string{"blob": "a\x00b"}, []string{`key "blob" is binary`}},
		"not there":     {nameFlags{allow: []string{"PLUGIN_DIR"}}, map[string]string{"plugin_dir": "/x"}, []string{"--allow=PLUGIN_DIR: no key", "there is only plugin_dir"}},
	} {
		data := map[string][]byte{}
		for key, value := range c.data {
			data[key] = []byte(value)
		}
		_, _, err := c.flags.variables(data)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, part := range c.want {
			if text := cli.Explain(err); !strings.Contains(text, part) {
				t.Errorf("%s: %q does not have %q", name, text, part)
			}
		}
	}
}

// ofPrograms are variables by which programs of many kinds run code, find it, or trust another server.
const ofPrograms = `
	PATH HOME SHELL IFS ENV PWD OLDPWD TERM TERMINFO TERMINFO_DIRS TERMCAP TMPDIR TMP TEMP LANGUAGE LOCPATH NLSPATH EDITOR VISUAL PAGER BROWSER MAIL MAILPATH
	PS0 PS1 PS2 PS3 PS4 PROMPT PROMPT_COMMAND BASH_ENV BASHOPTS SHELLOPTS BASH_FUNC_ls BASH_LOADABLES_PATH BASH_XTRACEFD CDPATH EXECIGNORE FIGNORE GLOBIGNORE
	HISTFILE INPUTRC ZDOTDIR FPATH MODULE_PATH fish_function_path FCEDIT KSH_ENV
	LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT LD_DEBUG_OUTPUT DYLD_INSERT_LIBRARIES DYLD_LIBRARY_PATH GLIBC_TUNABLES GCONV_PATH GETCONF_DIR HOSTALIASES RESOLV_HOST_CONF
	LOCALDOMAIN RES_OPTIONS MALLOC_TRACE NIS_PATH TZDIR LIBPATH SHLIB_PATH
	LESSOPEN LESSCLOSE LESSEDIT LESS LESSKEY MANPAGER MANOPT GROFF_ENCODING SYSTEMD_PAGER SYSTEMD_EDITOR PSQL_PAGER PSQL_EDITOR PSQLRC PSQL_HISTORY
	PGSERVICE PGSERVICEFILE PGSYSCONFDIR PGPASSFILE PGSSLKEY PGSSLCERT PGSSLROOTCERT PGSSLCRL PGOPTIONS PGLOCALEDIR PGKRBSRVNAME PGGSSLIB PGDATA PGREQUIREPEER
	MYSQL_HOME MYSQL_TEST_LOGIN_FILE MYSQL_HISTFILE MYSQL_UNIX_PORT MYSQL_PS1 MYSQL_GROUP_SUFFIX MYSQL_PLUGIN_DIR LIBMYSQL_PLUGINS LIBMYSQL_PLUGIN_DIR
	LIBMYSQL_ENABLE_CLEARTEXT_PLUGIN MARIADB_PLUGIN_DIR ODBCINI ODBCSYSINI ODBCINSTINI SQLCMDINI SQLCMDEDITOR SQLITE_HISTORY TNS_ADMIN ORACLE_HOME ORA_SDTZ
	SQLPATH NLS_LANG REDISCLI_RCFILE REDISCLI_HISTFILE MONGOSH_RC CQLSH_CONFIG RABBITMQ_CONF_ENV_FILE RABBITMQ_PLUGINS_DIR RABBITMQ_SERVER_START_ARGS
	KAFKA_OPTS KAFKA_JMX_OPTS KAFKA_LOG4J_OPTS ES_JAVA_OPTS MINIO_CONFIG_ENV_FILE NATS_CONTEXT LDAPRC LDAPCONF LDAPTLS_CACERT KRB5_CONFIG KRB5_KTNAME SASL_PATH
	SASL_CONF_PATH MC_CONFIG_DIR CLICKHOUSE_CONFIG NEO4J_CONF INFLUX_CONFIGS_PATH
	GIT_SSH GIT_SSH_COMMAND GIT_ASKPASS GIT_EDITOR GIT_PAGER GIT_EXTERNAL_DIFF GIT_CONFIG GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 GIT_CONFIG_GLOBAL GIT_EXEC_PATH
	GIT_TEMPLATE_DIR GIT_PROXY_COMMAND GIT_SEQUENCE_EDITOR GIT_DIR GIT_WORK_TREE GIT_SSL_NO_VERIFY GIT_TERMINAL_PROMPT SSH_ASKPASS SSH_AUTH_SOCK SSH_SK_PROVIDER
	SUDO_ASKPASS RSYNC_RSH RSYNC_PROXY CVS_RSH SVN_SSH HGRCPATH HG PATCH_GET
	PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONWARNINGS PYTHONINSPECT PYTHONUSERBASE PYTHONBREAKPOINT PYTHONPLATLIBDIR PYTHONPYCACHEPREFIX PYTHONEXECUTABLE
	PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE PIP_TRUSTED_HOST UV_INDEX_URL UV_DEFAULT_INDEX CONDA_PREFIX VIRTUAL_ENV JUPYTER_PATH IPYTHONDIR
	PERL5LIB PERL5OPT PERL5DB PERLLIB PERL_MB_OPT PERL_MM_OPT RUBYLIB RUBYOPT RUBYSHELL GEM_HOME GEM_PATH GEM_HOST BUNDLE_GEMFILE BUNDLE_PATH
	NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED NODE_REPL_EXTERNAL_MODULE NPM_CONFIG_REGISTRY NPM_CONFIG_PREFIX YARN_RC_FILENAME
	JAVA_HOME JAVA_OPTS JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS CLASSPATH MAVEN_OPTS MAVEN_ARGS GRADLE_OPTS GRADLE_USER_HOME ANT_OPTS ANT_ARGS SBT_OPTS
	DOTNET_STARTUP_HOOKS DOTNET_ROOT CORECLR_PROFILER CORECLR_PROFILER_PATH COR_PROFILER COMPlus_PerfMapEnabled NUGET_PACKAGES
	PHPRC PHP_INI_SCAN_DIR COMPOSER_HOME LUA_INIT LUA_PATH LUA_CPATH TCLLIBPATH R_PROFILE R_HOME R_ENVIRON R_LIBS JULIA_LOAD_PATH ERL_FLAGS ERL_LIBS ERL_AFLAGS
	GOFLAGS GOPROXY GOENV GOROOT GOPATH GOTOOLDIR GOSUMDB GONOSUMDB CGO_CFLAGS CARGO_HOME CARGO_BUILD_RUSTC RUSTFLAGS RUSTC_WRAPPER RUSTUP_DIST_SERVER CC CXX
	MAKEFLAGS MAKEFILES CFLAGS LDFLAGS CMAKE_TOOLCHAIN_FILE GCC_EXEC_PREFIX COMPILER_PATH PKG_CONFIG_PATH
	OPENSSL_CONF OPENSSL_ENGINES OPENSSL_MODULES SSL_CERT_FILE SSL_CERT_DIR SSLKEYLOGFILE CURL_CA_BUNDLE CURL_HOME WGETRC REQUESTS_CA_BUNDLE GNUTLS_SYSTEM_PRIORITY_FILE
	HTTP_PROXY HTTPS_PROXY http_proxy https_proxy ALL_PROXY all_proxy NO_PROXY no_proxy FTP_PROXY
	KUBECONFIG KUBE_EDITOR KUBECTL_EXTERNAL_DIFF KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT HELM_PLUGINS HELM_DRIVER DOCKER_HOST DOCKER_CONFIG DOCKER_CERT_PATH
	CONTAINER_HOST BUILDKIT_HOST CONTAINERS_CONF AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AWS_ENDPOINT_URL AWS_PROFILE AWS_CA_BUNDLE AWS_PAGER CLOUDSDK_CONFIG
	CLOUDSDK_PYTHON GOOGLE_APPLICATION_CREDENTIALS AZURE_CONFIG_DIR VAULT_ADDR VAULT_CACERT CONSUL_HTTP_ADDR TF_CLI_ARGS TF_CLI_CONFIG_FILE TF_PLUGIN_CACHE_DIR
	ANSIBLE_CONFIG ANSIBLE_LIBRARY HOMEBREW_BREW_GIT_REMOTE HOMEBREW_ARTIFACT_DOMAIN NIX_PATH ELECTRON_RUN_AS_NODE DEBUGINFOD_URLS GH_HOST GITLAB_HOST
	XDG_CONFIG_HOME XDG_DATA_DIRS XDG_CONFIG_DIRS XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS DBUS_SYSTEM_BUS_ADDRESS GIO_EXTRA_MODULES GTK_MODULES GTK_PATH
	QT_PLUGIN_PATH QT_QPA_PLATFORM_PLUGIN_PATH GST_PLUGIN_PATH LIBGL_DRIVERS_PATH VK_ICD_FILENAMES DISPLAY VIMINIT VIMRUNTIME EXINIT EMACSLOADPATH NVIM_LISTEN_ADDRESS
	TMUX TMUX_TMPDIR SCREENRC SCREENDIR LS_COLORS COLUMNS PAPERSIZE GDBINIT VALGRIND_OPTS STRACE_OPTS OTEL_EXPORTER_OTLP_ENDPOINT SENTRY_DSN COMSPEC PATHEXT SystemRoot
	APPDATA USERPROFILE PSModulePath`

// F-U38: a broker that chose the name of a variable could run code on the user's machine.
func TestNoVariableThatProgramsReadIsTheBrokers(t *testing.T) {
	for name := range strings.FieldsSeq(ofPrograms) {
		for _, c := range []struct {
			flags nameFlags
			key   string
		}{
			{nameFlags{}, name},
			{nameFlags{upperCase: true}, strings.ToLower(name)},
			{nameFlags{}, strings.ReplaceAll(name, "_", ".")},
			{nameFlags{prefix: "MYSQL_"}, strings.TrimPrefix(name, "MYSQL_")},
			{nameFlags{prefix: "PG"}, strings.TrimPrefix(name, "PG")},
			{nameFlags{prefix: name[:1]}, cmp.Or(name[1:], "x")},
			{nameFlags{prefix: "_"}, name[1:] + "x"},
		} {
			if c.flags.name(c.key) == "MYSQL_PWD" { // the password
				continue
			}
			all, leftOut, err := c.flags.variables(map[string][]byte{c.key: []byte("/x")})
			if err != nil || len(all) > 0 || !slices.Equal(leftOut, []string{c.key}) {
				t.Errorf("%+v, key %q: %v, %q, %v, want it left out", c.flags, c.key, all, leftOut, err)
			}
		}
	}
}

func TestVariablesOfCredentials(t *testing.T) {
	for name := range strings.FieldsSeq(`
		host HOST hostname port username USER password uri URI url database DATABASE name jdbcUrl JDBC_URL jdbcUri dbHost DB_HOST DB_PORT DB_NAME DB_USERNAME dbname
		DATABASE_URL MYSQL_HOST MYSQL_PORT MYSQL_USER MYSQL_PASSWORD MYSQL_PWD MYSQL_DATABASE MYSQL_ROOT_PASSWORD MYSQL_TCP_PORT PGHOST PGHOSTADDR PGPORT PGUSER
		PGPASSWORD PGDATABASE PGSSLMODE POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB REDIS_URL REDIS_HOST REDISCLI_AUTH MONGODB_URI MONGO_URL AMQP_URL RABBITMQ_URL
		http_api_uri vhost KAFKA_BOOTSTRAP_SERVERS bootstrap.servers S3_BUCKET access_key_id secret-access-key region endpoint token api_key client_id client_secret
		dashboard_url tls.crt ca.crt tls.key read_host write_host primary-host sslmode type provider tags connectionString`) {
		for _, flags := range []nameFlags{{}, {upperCase: true}} {
			if all, leftOut, err := flags.variables(map[string][]byte{name: []byte("x")}); err != nil || len(all) != 1 {
				t.Errorf("%+v, key %q: %v, %q, %v, want a variable", flags, name, all, leftOut, err)
			}
		}
	}
}

// F-U38: a value could be an option of the client that the user runs.
func TestNoValueIsAnOption(t *testing.T) {
	for _, c := range []struct {
		key, value string
		isLeftOut  bool
	}{
		{"host", "db", false},
		{"host", "-oProxyCommand=x", true},
		{"DB_HOST", " --plugin-dir=/x", true},
		{"database", "--init-command=x", true},
		{"database", "orders-1", false},
		{"database", "dbname=orders sslkey=engine:x", true},
		{"dbname", "postgres://db/orders?sslkey=engine:x", true},
		{"PGDATABASE", "a=b", true},
		{"name", "a=b", true},
		{"username", "cn=orders,dc=example", false},
		{"username", "-e", true},
		{"port", "-1", true},
		{"uri", "--eval=x", true},
		{"uri", "mysql://u:p@db/orders?x=y", false},
		{"password", "-a=b", false},
		{"tls.crt", "-----BEGIN CERTIFICATE-----", false},
		{"token", "--x", false},
	} {
		all, leftOut, err := (&nameFlags{}).variables(map[string][]byte{c.key: []byte(c.value)})
		if err != nil || len(leftOut) == 1 != c.isLeftOut || len(all)+len(leftOut) != 1 {
			t.Errorf("%s=%s: %v, %q, %v, left out: want %t", c.key, c.value, all, leftOut, err, c.isLeftOut)
		}
		flags := nameFlags{prefix: "X_"}
		if _, leftOut, _ = flags.variables(map[string][]byte{c.key: []byte(c.value)}); len(leftOut) == 1 != c.isLeftOut {
			t.Errorf("with a prefix, %s=%s is left out: want %t", c.key, c.value, c.isLeftOut)
		}
	}
}

func TestTheUserPermitsVariables(t *testing.T) {
	for name, c := range map[string]struct {
		flags   nameFlags
		want    []variable
		leftOut []string
	}{
		"no flag":              {nameFlags{}, []variable{{"host", "db"}}, []string{"PATH", "options"}},
		"prefix":               {nameFlags{prefix: "DB_"}, []variable{{"DB_PATH", "/orders"}, {"DB_host", "db"}, {"DB_options", "-x"}}, nil},
		"prefix of a client":   {nameFlags{prefix: "MYSQL_"}, []variable{{"MYSQL_host", "db"}}, []string{"PATH", "options"}},
		"prefix of half words": {nameFlags{prefix: "db"}, []variable{{"dbhost", "db"}}, []string{"PATH", "options"}},
		"allow":                {nameFlags{allow: []string{"options"}}, []variable{{"host", "db"}, {"options", "-x"}}, []string{"PATH"}},
		"allow in upper case":  {nameFlags{upperCase: true, allow: []string{"OPTIONS"}}, []variable{{"HOST", "db"}, {"OPTIONS", "-x"}}, []string{"PATH"}},
		"allow with a prefix":  {nameFlags{prefix: "PG", allow: []string{"PGoptions"}}, []variable{{"PGhost", "db"}, {"PGoptions", "-x"}}, []string{"PATH"}},
	} {
		all, leftOut, err := c.flags.variables(map[string][]byte{"PATH": []byte("/orders"), "host": []byte("db"), "options": []byte("-x")})
		if err != nil || !slices.Equal(all, c.want) || !slices.Equal(leftOut, c.leftOut) {
			t.Errorf("%s: %v, %q, %v, want %v, %q", name, all, leftOut, err, c.want, c.leftOut)
		}
	}
}

func TestWhatIsLeftOutIsNamed(t *testing.T) {
	var out bytes.Buffer
	e := cli.New(genericiooptions.IOStreams{In: strings.NewReader(""), Out: io.Discard, ErrOut: &out})
	flags := nameFlags{upperCase: true}
	flags.warnLeftOut(e, nil)
	if out.Len() > 0 {
		t.Errorf("of nothing it says %q", out.String())
	}
	flags.warnLeftOut(e, []string{"lessopen"})
	flags.warnLeftOut(e, []string{"a.b", "ps0"})
	for _, part := range []string{`left out key "lessopen"`, "--allow=LESSOPEN sets it", "--prefix=DB_", "--omit=lessopen leaves it", `keys "a.b", "ps0"`, "--allow=A_B,PS0 sets them",
		"--omit=a.b,ps0"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%q does not have %q", out.String(), part)
		}
	}
}

func TestKeysOfTheSameNameAndValueAreOneVariable(t *testing.T) {
	flags := nameFlags{upperCase: true}
	all, _, err := flags.variables(map[string][]byte{"USERNAME": []byte("u"), "username": []byte("u")})
	if want := []variable{{"USERNAME", "u"}}; err != nil || !slices.Equal(all, want) {
		t.Errorf("%v, %v, want %v", all, err, want)
	}
}

func TestPrefixes(t *testing.T) {
	for prefix, ok := range map[string]bool{"": true, "DB_": true, "_": true, "1_": false, "DB-": false, "DB ": false, "x=": false} {
		err := (&nameFlags{prefix: prefix}).validate()
		if (err == nil) != ok || !ok && cli.ExitCode(err) != cli.ExitUsage {
			t.Errorf("prefix %q: %v", prefix, err)
		}
	}
}

func TestEnvironmentReplacesVariables(t *testing.T) {
	got := environment([]string{"A=1", "host=old", "B=x=y"}, []variable{{"host", "db"}, {"port", "1"}})
	if want := []string{"A=1", "B=x=y", "host=db", "port=1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
