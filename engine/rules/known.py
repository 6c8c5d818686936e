"""Which fields the logs of Zeek and Suricata have by themselves: what a rule is held against, to find misspellings.

A log or a field that is not here may still be there (a site's own scripts add some): it is doubted, not refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from engine.rules.fields import (
    CANONICAL_NUMBERS,
    CANONICAL_TEXTS,
    EVERYTHING,
    FLOW_NUMBERS,
    FLOW_TEXTS,
    OTHER_NAMES,
    URL,
    Source,
)

_LOGS: Final = """
conn: uid service duration orig_bytes resp_bytes conn_state local_orig local_resp missed_bytes history orig_pkts
  orig_ip_bytes resp_pkts resp_ip_bytes tunnel_parents vlan inner_vlan orig_l2_addr resp_l2_addr community_id
dns: uid trans_id rtt query qclass qclass_name qtype qtype_name rcode rcode_name AA TC RD RA Z answers TTLs rejected
  auth addl total_answers total_replies
http: uid trans_depth method host uri referrer version user_agent origin request_body_len response_body_len
  status_code status_msg info_code info_msg tags username password capture_password proxied range_request orig_fuids
  orig_filenames orig_mime_types resp_fuids resp_filenames resp_mime_types cookie cookie_vars uri_vars post_body
  client_header_names server_header_names flash_version
ssl: uid version cipher curve server_name resumed last_alert next_protocol established ssl_history cert_chain_fps
  client_cert_chain_fps subject issuer client_subject client_issuer sni_matches_cert validation_status ja3 ja3s ja4
  ja4s cert_chain_fuids client_cert_chain_fuids notbefore notafter serial fingerprint
x509: fingerprint id certificate.version certificate.serial certificate.subject certificate.issuer
  certificate.not_valid_before certificate.not_valid_after certificate.key_alg certificate.sig_alg
  certificate.key_type certificate.key_length certificate.exponent certificate.curve san.dns san.uri san.email
  san.ip basic_constraints.ca basic_constraints.path_len host_cert client_cert
files: fuid uid tx_hosts rx_hosts conn_uids source depth analyzers mime_type filename duration local_orig is_orig
  seen_bytes total_bytes missing_bytes overflow_bytes timedout parent_fuid md5 sha1 sha256 extracted
  extracted_cutoff extracted_size
smtp: uid trans_depth helo mailfrom rcptto date from to cc reply_to msg_id in_reply_to subject x_originating_ip
  first_received second_received last_reply path user_agent tls fuids is_webmail
ftp: uid user password command arg mime_type file_size reply_code reply_msg data_channel.passive data_channel.orig_h
  data_channel.resp_h data_channel.resp_p cwd fuid
ssh: uid version auth_success auth_attempts direction client server cipher_alg mac_alg compression_alg kex_alg
  host_key_alg host_key hassh hasshServer
smb_files: uid fuid action path name size prev_name times.modified times.accessed times.created times.changed
smb_mapping: uid path service native_file_system share_type
smb_cmd: uid command sub_command argument status rtt version username tree tree_service referenced_file
dce_rpc: uid rtt named_pipe endpoint operation
kerberos: uid request_type client service success error_code error_msg from till cipher forwardable renewable
  client_cert_subject client_cert_fuid server_cert_subject server_cert_fuid auth_ticket new_ticket
ntlm: uid username hostname domainname server_nb_computer_name server_dns_computer_name server_tree_name success
rdp: uid cookie result security_protocol client_channels keyboard_layout client_build client_name
  client_dig_product_id desktop_width desktop_height requested_color_depth cert_type cert_count cert_permanent
  encryption_level encryption_method ssl
rfb: uid client_major_version client_minor_version server_major_version server_minor_version authentication_method
  auth share_flag desktop_name width height
dhcp: uids client_addr server_addr mac host_name client_fqdn domain requested_addr assigned_addr lease_time
  client_message server_message msg_types duration client_software server_software
notice: uid fuid file_mime_type file_desc note msg sub src dst p n peer_descr actions email_dest suppress_for
  remote_location.country_code remote_location.region remote_location.city
weird: uid name addl notice peer source
tunnel: uid tunnel_type action
software: host host_p software_type name version.major version.minor version.minor2 version.minor3 version.addl
  unparsed_version
pe: id machine compile_ts os subsystem is_exe is_64bit uses_aslr uses_dep uses_code_integrity uses_seh
  has_import_table has_export_table has_cert_table has_debug_data section_names
sip: uid trans_depth method uri date request_from request_to response_from response_to reply_to call_id seq subject
  request_path response_path user_agent status_code status_msg warning request_body_len response_body_len
  content_type
snmp: uid duration version community get_requests get_bulk_requests get_responses set_requests display_string
  up_since
socks: uid version user password status request.host request.name request_p bound.host bound.name bound_p
syslog: uid facility severity message
mysql: uid cmd arg success rows response
ldap: uid message_id version opcode result diagnostic_message object argument
modbus: uid tid unit func pdu_type exception
dnp3: uid fc_request fc_reply iin
irc: uid nick user command value addl dcc_file_name dcc_file_size dcc_mime_type fuid
radius: uid username mac framed_addr tunnel_client connect_info reply_msg result ttl
ntp: uid version mode stratum poll precision root_delay root_disp ref_id ref_time org_time rec_time xmt_time
  num_exts
quic: uid version client_initial_dcid client_scid server_scid server_name client_protocol history
traceroute: src dst
intel: uid seen.indicator seen.indicator_type seen.where seen.node matched sources fuid file_mime_type file_desc
known_hosts: host
known_services: host port_num port_proto service
known_certs: host port_num subject issuer_subject serial
dpd: uid analyzer failure_reason packet_segment
"""

ZEEK_LOGS: Final[Mapping[str, frozenset[str]]] = {
    log: frozenset(names.split())
    for log, _, names in (line.partition(": ") for line in _LOGS.strip().replace("\n  ", " ").splitlines())
}
"""Zeek's own logs and their fields beside the ends of the connection, as its reference names them."""

EVE_ONLY: Final = frozenset(
    ("alert", "anomaly", "smb", "krb5", "nfs", "tftp", "ike", "ikev2", "mqtt", "http2", "netflow", "pgsql", "ftp_data")
)
"""Event types of Suricata that have no log of Zeek's: their fields are not held against anything."""


def doubts_of(source: Source, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What is doubtful about a rule's log and fields: pairs of a field's name (empty: the log) and the doubt."""
    if source.log in EVE_ONLY:
        return
    if source.log not in ZEEK_LOGS:
        yield "", f"neither Zeek nor Suricata writes a log {source.log} by itself{_meant(source.log, ZEEK_LOGS)}"
        return
    known = _columns(source.log)
    for name in names:
        column = source.field(name).column
        if name not in source.names and column not in known:
            yield (
                name,
                f"records of {source.log} have no field {name} by themselves{_meant(name, {*known, *source.names})}",
            )


def _columns(log: str) -> frozenset[str]:
    ours = FLOW_TEXTS | FLOW_NUMBERS if log == "conn" else CANONICAL_TEXTS | CANONICAL_NUMBERS
    others = OTHER_NAMES.get(log, {})
    suricata = {name for names in others.values() for name in names}
    return ZEEK_LOGS[log] | ours | set(others) | suricata | {EVERYTHING, URL}


def _meant(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, sorted(known), n=1)
    return f": is {close[0]} meant?" if close else ": is it spelled right?"
