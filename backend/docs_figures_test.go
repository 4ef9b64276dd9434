package backend

import (
	"strings"
	"testing"
)

// figures are numbers and host names that pages name in prose, and where the code has them. A change of one of the two fails the test,
// which is the moment to look at the other.
var figures = []struct{ page, says, code string }{
	{"operations.md", "| instances of a role | 10,000 |", "MaxElements      = 10_000"},
	{"operations.md", "| live leases of an account | 1,000; further reads answer 503 |", "maxLeases = 1000"},
	{"operations.md", "has of an account | 50; further reads answer 503 |", "maxLeasesOfOwner = 50"},
	{"operations.md", "`max_versions`, at most 100 |", "maxVersionsBound = 100"},
	{"operations.md", "| `wait` | 45 s |", "const MaxWait = 45 * time.Second"},
	{"operations.md", "| names | 128 characters |", "const MaxNameLength = 128"},
	{"concepts.md", "after 2 seconds, doubling up to 5 minutes", "MinBackoff = 2 * time.Second\n\tMaxBackoff = 5 * time.Minute"},
	{"concepts.md", "After 5 failures in a row the whole connection pauses for 2 to 30 seconds",
		"breakerMinOpen   = 2 * time.Second\n\tbreakerMaxOpen   = 30 * time.Second"},
	{"concepts.md", "After 5 failures in a row", "breakerThreshold = 5"},
	{"concepts.md", "two minutes after the lease", "const Slack = 2 * time.Minute"},
	{"concepts.md", "(at most every 10 seconds), and every 10 minutes", "const resolutionInterval = 10 * time.Second"},
	{"concepts.md", "(at most every 10 seconds), and every 10 minutes", "refreshInterval = 10 * time.Minute"},
	{"concepts.md", "tried as well for an hour", "earlierKeyStays = time.Hour"},
	{"concepts.md", "(at most 45s)", "const MaxWait = 45 * time.Second"},
	{"concepts.md", "once 10 minutes have passed since its attempt began", "const OrderDeadline = 10 * time.Minute"},
	{"concepts.md", "5 for a server's clock that is behind", "const ClockTolerance = 5 * time.Minute"},
	{"concepts.md", "5 for a Vault's that was ahead", "const ClockSkew = 5 * time.Minute"},
	{"clouds/README.md", "`cvm.tencentcloudapi.com`", `const rootDomain = "tencentcloudapi.com"`},
	{"clouds/README.md", "`management.azure.com`, `login.microsoftonline.com`",
		`cloudPublic: {"https://management.azure.com", "https://login.microsoftonline.com"`},
	{"clouds/azure.md", "`login.microsoftonline.us` | `management.usgovcloudapi.net`",
		`cloudUSGovernment: {"https://management.usgovcloudapi.net", "https://login.microsoftonline.us"`},
	{"clouds/azure.md", "`login.chinacloudapi.cn` | `management.chinacloudapi.cn`",
		`cloudChina: {"https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn"`},
	{"clouds/azure.md", "A machine has at most 25 run commands", "mostCommands = 25"},
	{"clouds/azure.md", "one of a password an hour after it ended", "attemptLeftover = time.Hour"},
	{"clouds/azure.md", "others after ten minutes", "lookLeftover    = 10 * time.Minute"},
	{"clouds/azure.md", "A command has two minutes to run", "commandTimeout = 2 * time.Minute"},
	{"clouds/azure.md", "Passwords have 12 to 72 characters of three classes", "maxPassword = 72"},
	{"clouds/README.md", "`ecs.<region>.myhuaweicloud.com`", `"https://ecs." + region + ".myhuaweicloud.com"`},
	{"clouds/README.md", "`iam.<region>.myhuaweicloud.com`", `"https://iam." + region + ".myhuaweicloud.com/v3"`},
	{"clouds/README.md", "`iam.eu-west-101.myhuaweicloud.eu`", `"https://iam.eu-west-101.myhuaweicloud.eu/v3"`},
	{"clouds/README.md", "`coc-intl.myhuaweicloud.com`, `coc.myhuaweicloud.com` in China", `"https://coc-intl.myhuaweicloud.com"`},
	{"clouds/README.md", "`coc-eu-west-101-open-api.myhuaweicloud.eu`", `"https://coc-eu-west-101-open-api.myhuaweicloud.eu"`},
	{"clouds/huaweicloud.md", "which has two minutes to run", "scriptTimeout = 2 * time.Minute"},
	{"clouds/README.md", "`ecs.<region>.otc.t-systems.com`", `"https://ecs." + region + ".otc.t-systems.com"`},
	{"clouds/README.md", "`iam.<region>.otc.t-systems.com`", `"https://iam." + region + ".otc.t-systems.com/v3"`},
	{"clouds/README.md", "`ecs.eu-ch2.sc.otc.t-systems.com`, `iam-pub.eu-ch2.sc.otc.t-systems.com`",
		`"https://iam-pub.eu-ch2.sc.otc.t-systems.com/v3"`},
	{"api/config.md", "at the latest after an hour", "lastRetry  = time.Hour"},
	{"api/config.md", "does not accept within 15 minutes", "uselessAfter = 15 * time.Minute"},
	{"api/config.md", "for up to 30 seconds", "const ListingAge = 30 * time.Second"},
	{"api/keys.md", "at most 10 of them", "maxEarlierKeys = 10"},
	{"api/roles.md", "every ten minutes", "refreshInterval = 10 * time.Minute"},
}

func TestFiguresOfPages(t *testing.T) {
	code := sources(t, ".")
	for _, f := range figures {
		if page := docsFolder + "/" + f.page; !strings.Contains(onOneLine(readPage(t, page)), f.says) {
			t.Errorf("%s does not say %q any more, for which the code has %q", page, f.says, f.code)
		}
		if !strings.Contains(code, f.code) {
			t.Errorf("the code does not have %q any more; %s says %q", f.code, f.page, f.says)
		}
	}
}

// onOneLine is a text without its line breaks, which move when somebody edits a paragraph.
func onOneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
