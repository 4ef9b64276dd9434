#!/usr/bin/python3
"""OpenStack's own Python libraries, keystoneauth and openstacksdk, against the simulated Keystone and Nova.

tests/independent/run.sh sets the environment, the same as that of openstack.sh, and runs this after it. The password of the
Linux server is set, and an application credential is made and deleted.
"""

import os
import subprocess
import sys

import openstack
from keystoneauth1 import exceptions
from keystoneauth1 import session as sessions
from keystoneauth1.identity import v3

env = os.environ
auth_url, region, domain = env["AUTH_URL"] + "/v3", env["REGION"], env["USER_DOMAIN"]
project, project_id, windows, linux = env["PROJECT"], env["PROJECT_ID"], env["WINDOWS"], env["LINUX"]
user = {"username": env["USERNAME"], "password": env["PASSWORD"], "user_domain_name": domain}
compute = {"service_type": "compute", "region_name": region}

checks = []


def check(name):
    """Registers a function as a check, whose result is printed in the form of the Test Anything Protocol."""

    def register(function):
        checks.append((name, function))
        return function

    return register


def equal(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what} is {got!r}, wanted {wanted!r}")


def refused(kind, text, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except kind as error:
        answer = getattr(error.response, "text", "")  # the libraries do not repeat Nova's words
        if text not in str(error) + answer:
            raise AssertionError(f"wanted {text!r}, got: {error} {answer}") from error
        return
    raise AssertionError(f"wanted {kind.__name__}, but it succeeded")


def scoped():
    return sessions.Session(auth=v3.Password(auth_url=auth_url, project_name=project, project_domain_name=domain, **user))


def server(identity, at="", **named):
    return identity.get(f"/servers/{windows}{at}", endpoint_filter=compute, **named)


@check("an unscoped token finds the project and is exchanged for one of it")
def _():
    unscoped = sessions.Session(auth=v3.Password(auth_url=auth_url, unscoped=True, **user))
    found = unscoped.get(auth_url + "/auth/projects").json()["projects"]
    equal("projects", [p["id"] for p in found], [project_id])
    again = sessions.Session(auth=v3.Token(auth_url=auth_url, token=unscoped.get_token(), project_id=project_id))
    equal("server", server(again).json()["server"]["id"], windows)
    refused(exceptions.Forbidden, "not authorized", unscoped.get, auth_url + "/auth/catalog")


@check("a domain's token takes a role on the domain")
def _():
    auth = v3.Password(auth_url=auth_url, domain_name=domain, **user)
    refused(exceptions.Unauthorized, "requires authentication", sessions.Session(auth=auth).get_token)


@check("the versions of Nova are discovered")
def _():
    data = scoped().get_endpoint_data(service_type="compute", region_name=region, min_version="2.1", max_version="2.latest")
    equal("lowest microversion", data.min_microversion, (2, 1))
    equal("highest microversion", data.max_microversion, (2, 98))


@check("microversions are honoured")
def _():
    identity = scoped()
    for version, tags in (("2.25", False), ("2.26", True), ("2.98", True)):
        answer = server(identity, microversion=version)
        equal(f"tags at {version}", "tags" in answer.json()["server"], tags)
        equal("version of the answer", answer.headers["OpenStack-API-Version"], "compute " + version)
    refused(exceptions.NotAcceptable, "2.999 is not supported", server, identity, microversion="2.999")


@check("unknown query parameters are refused from microversion 2.75 on")
def _():
    identity = scoped()
    equal("status", identity.get("/servers?nonsense=1", endpoint_filter=compute, microversion="2.74").status_code, 200)
    refused(exceptions.BadRequest, "nonsense", identity.get, "/servers?nonsense=1", endpoint_filter=compute, microversion="2.75")


@check("a revoked token is renewed")
def _():
    identity = scoped()
    server(identity)
    old = identity.get_token()
    identity.delete(auth_url + "/auth/tokens", headers={"X-Subject-Token": old})
    equal("status", server(identity).status_code, 200)
    if identity.get_token() == old:
        raise AssertionError("the revoked token is still in use")


@check("an application credential is limited to its access rules, and ends")
def _():
    identity = scoped()
    credentials = f"{auth_url}/users/{identity.get_user_id()}/application_credentials"
    rule = {"service": "compute", "method": "GET", "path": "/v2.1/servers/*/os-server-password"}
    body = {"application_credential": {"name": "ruled", "access_rules": [rule]}}
    made = identity.post(credentials, json=body).json()["application_credential"]
    given = {"application_credential_id": made["id"], "application_credential_secret": made["secret"]}
    ruled = sessions.Session(auth=v3.ApplicationCredential(auth_url=auth_url, **given))
    equal("status", server(ruled, "/os-server-password").status_code, 200)
    refused(exceptions.Unauthorized, "requires authentication", server, ruled)
    refused(exceptions.Forbidden, "not allowed for managing", ruled.post, credentials, json=body)
    subject = {"X-Subject-Token": ruled.get_token()}
    refused(exceptions.NotFound, "Failed to validate token", identity.get, auth_url + "/auth/tokens", headers=subject)
    subject["OpenStack-Identity-Access-Rules"] = "1.0"
    equal("status", identity.get(auth_url + "/auth/tokens", headers=subject).status_code, 200)
    identity.delete(credentials + "/" + made["id"])
    again = sessions.Session(auth=v3.ApplicationCredential(auth_url=auth_url, **given))
    refused(exceptions.NotFound, "Could not find Application Credential", again.get_token)


@check("openstacksdk lists and pages servers, flavors, key pairs and images")
def _():
    cloud = openstack.connection.Connection(session=scoped(), region_name=region, compute_api_version="2.1", identity_api_version="3")
    equal("servers", {s.id for s in cloud.compute.servers(limit=1)} >= {windows, linux}, True)
    equal("names", sorted(s.name for s in cloud.compute.servers(details=False, sort_key="display_name")), ["linux-1", "windows-1"])
    equal("key pairs", [k.name for k in cloud.compute.keypairs()], [env["KEY_NAME"]])
    equal("flavors", len(list(cloud.compute.flavors(limit=1))), 2)
    shown = cloud.compute.get_server(windows)
    equal("image", cloud.image.get_image(shown.image["id"]).id, shown.image["id"])


@check("openstacksdk sets a password, which logs in")
def _():
    cloud = openstack.connection.Connection(session=scoped(), region_name=region, compute_api_version="2.1", identity_api_version="3")
    cloud.compute.change_server_password(linux, "Sdk-Pa55word-1")
    command = [*env["CLOUDSIM_LOGIN"].split(), env["LINUX_SSH"], "root"]
    login = subprocess.run(command, input=b"Sdk-Pa55word-1", stdout=subprocess.DEVNULL, check=False, timeout=30)
    equal("status of the login", login.returncode, 0)


failed = False
for number, (name, function) in enumerate(checks, 1):
    try:
        function()
        print(f"ok {number} - {name}", flush=True)
    except Exception as error:  # any is a failed check
        failed = True
        print(f"not ok {number} - {name}\n# {type(error).__name__}: {error}".replace("\n#", "\n# "), flush=True)
sys.exit(failed)
