"""A definition is edited by several people, and published when it is ready."""

from tests.api.conftest import DEFINITION, Api

WHERE = "/v1/drafts/welcome"


async def test_from_a_first_draft_to_a_version(api: Api) -> None:
    key = await api.key()
    saved = await api("PUT", WHERE, key, json=DEFINITION)
    assert (saved.fine()["revision"], saved.headers["ETag"]) == (1, '"1"')
    assert (await api("GET", "/v1/cadences", key)).fine() == {"cadences": []}

    edited = {**saved.body["definition"], "name": "Warm welcome"}
    saved = await api("PUT", WHERE, key, json=edited, headers={"If-Match": '"1"'})
    assert (saved.fine()["name"], saved.headers["ETag"]) == ("Warm welcome", '"2"')
    assert [each["revision"] for each in (await api("GET", "/v1/drafts", key)).fine()["drafts"]] == [2]

    published = await api("POST", f"{WHERE}/publish", key, json={"status": "paused"}, headers={"If-Match": '"2"'})
    assert published.fine(201) == {"key": "welcome", "version": 1, "outcome": "created", "status": "paused"}
    (await api("GET", WHERE, key)).problem(404, "draft_not_found")


async def test_an_edit_of_what_somebody_else_has_changed_is_refused_with_both_named(api: Api) -> None:
    key = await api.key()
    await api("PUT", WHERE, key, json=DEFINITION)
    await api("PUT", WHERE, key, json={**DEFINITION, "name": "Mine"}, headers={"If-Match": '"1"'})

    late = await api("PUT", WHERE, key, json={**DEFINITION, "name": "Late"}, headers={"If-Match": '"1"'})

    detail = late.problem(412, "precondition_failed")["detail"]
    assert '"1"' in detail
    assert '"2"' in detail
    (await api("PUT", WHERE, key, json=DEFINITION)).problem(412, "precondition_failed")
    for method, path in (("DELETE", WHERE), ("POST", f"{WHERE}/publish")):
        (await api(method, path, key, headers={"If-Match": '"1"'})).problem(412, "precondition_failed")
        (await api(method, path, key)).problem(422, "invalid_request")
    assert (await api("GET", WHERE, key)).fine()["name"] == "Mine"


async def test_a_draft_that_was_overtaken_undoes_nothing_unseen(api: Api) -> None:
    key = await api.key()
    await api("PUT", WHERE, key, json=DEFINITION)
    await api.published(key, name="Published meanwhile")
    overtaken = await api("POST", f"{WHERE}/publish", key, headers={"If-Match": '"1"'})
    assert "version 1 was published since" in overtaken.problem(409, "overtaken")["detail"]
    (await api("DELETE", WHERE, key, headers={"If-Match": '"1"'})).fine(204)
    (await api("DELETE", WHERE, key, headers={"If-Match": '"1"'})).problem(404, "draft_not_found")
