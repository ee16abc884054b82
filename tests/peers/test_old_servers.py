"""Older API servers that clusters still run (tests/run long): the cases of the other files again, on kube-apiserver 1.31.4 and on
1.29.0, which has no admission policies and names no node in a token."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from cases import CASES, case, main, only_long, wait_for  # noqa: E402
from cluster import Cluster  # noqa: E402
import test_api  # noqa: E402
import test_brake  # noqa: E402
import test_events  # noqa: E402
import test_policy  # noqa: E402

CASES.clear()  # those of the files are their own

SERVERS = {"1_31": "kube-apiserver-1.31", "1_29": "kube-apiserver-1.29"}
# without those that need a scheduler: one of 1.34 does not work with an older API server
ON_BOTH = [
    test_api.a_fault_becomes_condition_and_taint_and_goes_away, test_api.taints_of_others_are_never_lost, test_api.the_newest_verdict_wins_after_an_outage,
    test_api.the_token_is_rotated, test_api.killed_reporter_and_supervisor_write_nothing_false, test_api.a_missing_right_stops_only_what_needs_it,
    test_brake.never_more_than_allowed_and_the_next_gets_the_slot, test_brake.a_taint_goes_without_a_slot, test_brake.hold_and_hand, test_brake.one_node_and_retire,
    test_events.a_fault_and_its_end_are_shown_where_kubectl_looks, test_events.repeats_are_one_event_with_a_series,
    test_events.aliases_of_both_polarities_come_and_go,
]
# policies are of 1.30: CEL, node names in tokens, every field that 1.31 knows
ON_1_31 = [test_policy.a_stolen_token_is_refused_field_by_field, test_policy.what_the_agent_does_is_allowed, test_policy.a_token_of_a_pod_names_the_node_of_the_pod,
           test_policy.two_slots_won_by_a_burst_cannot_be_kept, test_policy.the_reporter_works_under_the_policy]


def on(server, function):
    def run(t):
        before = Cluster.SERVER
        t.cleanup(lambda: setattr(Cluster, "SERVER", before))
        Cluster.SERVER = SERVERS[server]
        function(t)

    run.__name__ = f"{function.__name__}_on_{server}"
    return case(only_long(run))


for server in SERVERS:
    for function in ON_BOTH + (ON_1_31 if server == "1_31" else []):
        on(server, function)


def without_the_policy_api(t):
    """policy.yaml cannot be applied; everything else works, and it is said that nothing limits the token."""
    s = test_api.Stage(t, agent=False)
    for thing in test_policy.load("base/policy.yaml"):
        assert s.cluster.request("GET", s.cluster.path_of(thing))[0] == 404, "this API server has policies"
    for thing in test_policy.load("base/rbac.yaml"):
        s.cluster.apply(thing)
    s.node.start()
    s.wait_condition("True")
    wait_for(lambda: s.node.input("policy")["state"] == "degraded", "the missing policy to be said", 60, 0.05)
    test_policy.said_missing(s.node)
    s.disk.trigger_ext4_error()
    s.wait_condition("False")
    s.wait_taint(True)
    s.repair()
    s.wait_condition("True")
    s.wait_taint(False)
    assert not s.node.log("role ended, starting it again")


on("1_29", without_the_policy_api)

if __name__ == "__main__":
    main()
