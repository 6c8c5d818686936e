"""Names of MITRE ATT&CK techniques: of our kinds, of the rules that come with the house, of common network rules.

An id that is not here is shown without a name. ATT&CK is a trademark of The MITRE Corporation.
"""

from __future__ import annotations

from typing import Final

_NAMES: Final = """
T1003.001 OS Credential Dumping: LSASS Memory
T1003.002 OS Credential Dumping: Security Account Manager
T1003.003 OS Credential Dumping: NTDS
T1003.004 OS Credential Dumping: LSA Secrets
T1003.006 OS Credential Dumping: DCSync
T1005 Data from Local System
T1016 System Network Configuration Discovery
T1018 Remote System Discovery
T1021.001 Remote Services: Remote Desktop Protocol
T1021.002 Remote Services: SMB/Windows Admin Shares
T1021.006 Remote Services: Windows Remote Management
T1033 System Owner/User Discovery
T1036.005 Masquerading: Match Legitimate Resource Name or Location
T1036.008 Masquerading: Masquerade File Type
T1040 Network Sniffing
T1041 Exfiltration Over C2 Channel
T1046 Network Service Discovery
T1047 Windows Management Instrumentation
T1048 Exfiltration Over Alternative Protocol
T1048.003 Exfiltration Over Alternative Protocol: Exfiltration Over Unencrypted Non-C2 Protocol
T1049 System Network Connections Discovery
T1053 Scheduled Task/Job
T1053.002 Scheduled Task/Job: At
T1053.005 Scheduled Task/Job: Scheduled Task
T1056 Input Capture
T1057 Process Discovery
T1059 Command and Scripting Interpreter
T1059.001 Command and Scripting Interpreter: PowerShell
T1068 Exploitation for Privilege Escalation
T1070.001 Indicator Removal: Clear Windows Event Logs
T1071 Application Layer Protocol
T1071.001 Application Layer Protocol: Web Protocols
T1071.004 Application Layer Protocol: DNS
T1074 Data Staged
T1078 Valid Accounts
T1082 System Information Discovery
T1083 File and Directory Discovery
T1087.001 Account Discovery: Local Account
T1087.002 Account Discovery: Domain Account
T1090 Proxy
T1090.003 Proxy: Multi-hop Proxy
T1095 Non-Application Layer Protocol
T1098 Account Manipulation
T1102.001 Web Service: Dead Drop Resolver
T1102.002 Web Service: Bidirectional Communication
T1102.003 Web Service: One-Way Communication
T1105 Ingress Tool Transfer
T1110 Brute Force
T1110.001 Brute Force: Password Guessing
T1110.003 Brute Force: Password Spraying
T1124 System Time Discovery
T1133 External Remote Services
T1136.001 Create Account: Local Account
T1187 Forced Authentication
T1189 Drive-by Compromise
T1190 Exploit Public-Facing Application
T1197 BITS Jobs
T1201 Password Policy Discovery
T1203 Exploitation for Client Execution
T1204.002 User Execution: Malicious File
T1210 Exploitation of Remote Services
T1221 Template Injection
T1486 Data Encrypted for Impact
T1490 Inhibit System Recovery
T1495 Firmware Corruption
T1496 Resource Hijacking
T1496.001 Resource Hijacking: Compute Hijacking
T1498 Network Denial of Service
T1499 Endpoint Denial of Service
T1505 Server Software Component
T1505.003 Server Software Component: Web Shell
T1529 System Shutdown/Reboot
T1543.003 Create or Modify System Process: Windows Service
T1556.004 Modify Authentication Process: Network Device Authentication
T1557 Adversary-in-the-Middle
T1557.001 Adversary-in-the-Middle: Name Resolution Poisoning and SMB Relay
T1558.003 Steal or Forge Kerberos Tickets: Kerberoasting
T1566 Phishing
T1566.001 Phishing: Spearphishing Attachment
T1566.002 Phishing: Spearphishing Link
T1567 Exfiltration Over Web Service
T1567.002 Exfiltration Over Web Service: Exfiltration to Cloud Storage
T1568 Dynamic Resolution
T1568.002 Dynamic Resolution: Domain Generation Algorithms
T1569.002 System Services: Service Execution
T1570 Lateral Tool Transfer
T1571 Non-Standard Port
T1572 Protocol Tunneling
T1573.002 Encrypted Channel: Asymmetric Cryptography
T1584 Compromise Infrastructure
T1590 Gather Victim Network Information
T1590.002 Gather Victim Network Information: DNS
T1595 Active Scanning
T1595.001 Active Scanning: Scanning IP Blocks
T1595.002 Active Scanning: Vulnerability Scanning
T1595.003 Active Scanning: Wordlist Scanning
"""

TECHNIQUES: Final[dict[str, str]] = dict(line.split(" ", 1) for line in _NAMES.strip().splitlines())
"""Id -> name."""
